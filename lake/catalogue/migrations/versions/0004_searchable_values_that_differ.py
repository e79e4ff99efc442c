"""Searchable values that differ between an observation's files: all of them, where the last one stood."""

from __future__ import annotations

from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Take the values from the files, which always had their own."""
    op.execute(
        """
        UPDATE observation SET meta = observation.meta || several.meta
        FROM (
            SELECT observation_id, jsonb_object_agg(key, found) AS meta
            FROM (
                SELECT product.observation_id, one.key, jsonb_agg(DISTINCT one.value) AS found
                FROM product
                JOIN release ON release.product_id = product.id AND release.status <> 'DRAFT'
                JOIN release_file ON release_file.release_id = release.id
                JOIN file ON file.id = release_file.file_id
                CROSS JOIN LATERAL jsonb_each(file.meta) AS one
                GROUP BY product.observation_id, one.key
            ) AS of_files
            WHERE jsonb_array_length(found) > 1
            GROUP BY observation_id
        ) AS several
        WHERE observation.id = several.observation_id
        """
    )


def downgrade() -> None:
    """Leave them: the code before reads a list as it reads any value."""
