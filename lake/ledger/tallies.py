"""Units entered as they ended, and counted in the same breath: how fast, how much, which step how long.

A run of a million units is asked about every other second by whoever watches it. What it is asked is kept in
sums (`lake.catalogue.models.Tally`, `StepTime`), so that nobody goes through the units for it.
"""

from __future__ import annotations

from typing import Final

from sqlalchemy import text

#: Times in one bucket differ by less than this factor; narrower ones cost the ledger a third of its speed.
RATIO: Final = 1.25

#: Takes run_id, owner, ratio, and of each unit id, state, outcome and facts; gives how many were still ours.
FINISH: Final = text(
    """
    WITH ended AS (
        UPDATE unit SET state = d.state, outcome = d.outcome::jsonb, finished = now(),
                        facts = d.facts::jsonb || jsonb_build_object('by', CAST(:owner AS text)),
                        lease_owner = NULL, lease_until = NULL
        FROM unnest(CAST(:ids AS text[]), CAST(:states AS text[]), CAST(:outcomes AS text[]),
                    CAST(:facts AS text[])) AS d(unit_id, state, outcome, facts)
        WHERE unit.run_id = :run_id AND unit.unit_id = d.unit_id AND unit.state = 'leased'
          AND unit.lease_owner = :owner
        RETURNING unit.unit_id, unit.state, unit.facts
    ), spent AS (
        SELECT unit_id, step, took::double precision AS took
        FROM ended, jsonb_each_text(facts -> 'seconds') AS each(step, took)
    ), counted AS (
        INSERT INTO tally (run_id, executor, worker, minute,
                           units, troubles, bytes_in, bytes_out, seconds, memory)
        SELECT CAST(:run_id AS text), CAST(:owner AS text), facts ->> 'worker', date_trunc('minute', now()),
               count(*), count(*) FILTER (WHERE state IN ('failed', 'quarantined')),
               sum((facts ->> 'in')::bigint), sum((facts ->> 'out')::bigint),
               coalesce(sum(total.took), 0), max((facts ->> 'memory')::bigint)
        FROM ended LEFT JOIN (SELECT unit_id, sum(took) AS took FROM spent GROUP BY unit_id) AS total
             USING (unit_id)
        WHERE facts IS NOT NULL GROUP BY facts ->> 'worker'
        ON CONFLICT (run_id, executor, worker, minute) DO UPDATE
        SET units = tally.units + excluded.units, troubles = tally.troubles + excluded.troubles,
            bytes_in = tally.bytes_in + excluded.bytes_in, bytes_out = tally.bytes_out + excluded.bytes_out,
            seconds = tally.seconds + excluded.seconds, memory = greatest(tally.memory, excluded.memory)
    ), timed AS (
        INSERT INTO step_time (run_id, executor, step, bucket, times, seconds)
        SELECT CAST(:run_id AS text), CAST(:owner AS text), step,
               floor(ln(greatest(took, 1e-6)) / ln(CAST(:ratio AS double precision)))::int,
               count(*), sum(took)
        FROM spent GROUP BY step, 4
        ON CONFLICT (run_id, executor, step, bucket) DO UPDATE
        SET times = step_time.times + excluded.times, seconds = step_time.seconds + excluded.seconds
    )
    SELECT count(*) FROM ended
    """
)
