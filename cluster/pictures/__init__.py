"""Pictures of products, made beside them and made again; who may see one is not decided here."""
