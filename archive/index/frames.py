"""Where the frames of an instance lie: one row, whatever the number of frames."""

from __future__ import annotations

import sqlalchemy as sa

from archive.index.engine import Database
from archive.index.prepared import Prepared, is_among
from archive.index.records import INSTANCE_JOIN, to_instance
from archive.index.retrieve import find_one, instance_statement
from archive.index.schema import frame_blocks, instances
from archive.model.instance import FRAMES_PER_BLOCK, FrameBlock, StoredInstance
from archive.model.level import Place
from archive.model.principal import Principal

_WITH_BLOCK = instance_statement(
    INSTANCE_JOIN.outerjoin(
        frame_blocks,
        sa.and_(
            frame_blocks.c.instance_id == instances.c.id,
            frame_blocks.c.first_frame == sa.bindparam("first"),
        ),
    ),
    frame_blocks.c.first_frame,
    frame_blocks.c.frames,
    frame_blocks.c.ranges,
)
_BLOCKS = Prepared(
    lambda dialect: (
        sa.select(frame_blocks.c.first_frame, frame_blocks.c.frames, frame_blocks.c.ranges)
        .join(instances, instances.c.id == frame_blocks.c.instance_id)
        # The key: a version that replaced this one has ranges of its own.
        .where(
            instances.c.id == sa.bindparam("id"),
            instances.c.object_key == sa.bindparam("key"),
            is_among(frame_blocks.c.first_frame, "firsts", dialect),
        )
    )
)


def instance_with_block(
    database: Database, principal: Principal, place: Place, frame: int
) -> tuple[StoredInstance, FrameBlock | None]:
    """Return an instance and the block that holds `frame` (from 1); or None where there is none."""
    row = find_one(database, principal, place, _WITH_BLOCK, first=_first_of_block(frame))
    block = None if row.first_frame is None else FrameBlock(row.first_frame, row.frames, row.ranges)
    return to_instance(row), block


def more_blocks(database: Database, instance: StoredInstance, frames: list[int]) -> dict[int, FrameBlock]:
    """Return the blocks that hold `frames`, by the number of their first frame."""
    firsts = sorted({_first_of_block(frame) for frame in frames})
    rows = database.rows(_BLOCKS, id=instance.id, key=instance.object_key, firsts=firsts)
    return {row.first_frame: FrameBlock(row.first_frame, row.frames, row.ranges) for row in rows}


def _first_of_block(frame: int) -> int:
    return (frame - 1) // FRAMES_PER_BLOCK * FRAMES_PER_BLOCK + 1
