"""The chart, rendered by the real Helm, held against Kubernetes' schemas and the program that it starts."""
