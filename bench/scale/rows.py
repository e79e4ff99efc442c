"""Files that stand in the catalogue and nowhere else, a million in a minute: enough to be planned."""

from __future__ import annotations

from typing import Final

from sqlalchemy import text

from bench.scale.simulated import INSTRUMENT, PER_DAY
from lake.lake import Lake

_STATEMENTS: Final = (
    """
    INSERT INTO observation (scope, name)
    SELECT :scope, :prefix || lpad(day::text, 6, '0') FROM generate_series(1, :days) AS day
    """,
    """
    INSERT INTO product (observation_id, level, name, last_version)
    SELECT id, '1', scope || ':' || name || '.l1', 1 FROM observation WHERE name LIKE :pattern
    """,
    """
    INSERT INTO release (product_id, version, status, scope, level, dataset, draft_key, date_beg, date_end)
    SELECT product.id, 1, 'ACTIVE', :scope, '1', observation.name || '.l1.v0001', 'scale',
           timestamptz '1950-01-01 00:00+00', timestamptz '1950-01-01 23:00+00'
    FROM product JOIN observation ON observation.id = observation_id WHERE observation.name LIKE :pattern
    """,
    """
    INSERT INTO file (scope, name, level, stem, size, adler32, sha256, date_beg, date_end, shape, meta)
    SELECT :scope, stem || '.fits', '1', stem, 12000000, lpad(to_hex(number), 8, '0'),
           encode(sha256(convert_to(stem, 'UTF8')), 'hex'), begins, begins + interval '2 seconds',
           '{4096,4096}', jsonb_build_object('wavelength', 171, 'exposure_s', 2.0, 'telescope', 'SDO/AIA')
    FROM observation, generate_series(1, :per_day) AS number,
         LATERAL (SELECT name || '_' || lpad(number::text, 6, '0') AS stem,
                         timestamptz '1950-01-01 00:00+00' + number * interval '80 seconds' AS begins) AS told
    WHERE name LIKE :pattern
    """,
    """
    INSERT INTO release_file (release_id, file_id)
    SELECT release.id, file.id
    FROM file JOIN observation ON observation.name = left(file.name, :length)
         JOIN product ON product.observation_id = observation.id
         JOIN release ON release.product_id = product.id
    WHERE observation.name LIKE :pattern
    """,
)


def enter(lake: Lake, count: int) -> str:
    """Enter files of observations of their own, unless they are there; the pattern of the observations."""
    prefix = f"aia171_rows{count}x"
    per_day = min(count, PER_DAY)
    values = {"scope": INSTRUMENT, "prefix": prefix, "pattern": f"{prefix}%", "length": len(prefix) + 6}
    values |= {"days": count // per_day, "per_day": per_day}
    with lake.engine.begin() as connection:
        there = text("SELECT count(*) FROM observation WHERE name LIKE :pattern")
        if connection.scalar(there, values):
            return f"{prefix}*"
        for statement in _STATEMENTS:
            connection.execute(text(statement), values)
            connection.execute(text("ANALYZE observation, product, release, file"))
    return f"{prefix}*"
