"""Reading back what wandb wrote offline: a LevelDB log of protobuf records (its own reader is gone since 0.31)."""

import json
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from wandb.proto.wandb_internal_pb2 import Record

BLOCK, HEADER = 32 * 1024, struct.Struct("<IHB")  # crc, length, type
FULL, FIRST, MIDDLE, LAST = 1, 2, 3, 4


def records(file: Path) -> Iterator[Any]:
    """Every record of a ``.wandb`` file."""
    data, position, parts = file.read_bytes(), 7, b""
    while position + HEADER.size <= len(data):
        if BLOCK - position % BLOCK < HEADER.size:  # the rest of a block is padding
            position += BLOCK - position % BLOCK
            continue
        _, length, kind = HEADER.unpack_from(data, position)
        parts += data[position + HEADER.size : position + HEADER.size + length]
        position += HEADER.size + length
        if kind in (FULL, LAST):
            record = Record()
            record.ParseFromString(parts)
            parts = b""
            yield record


class Logged:
    """One offline run as wandb would send it."""

    def __init__(self, folder: Path) -> None:
        (self.folder,) = [path for path in sorted(folder.glob("wandb/offline-run-*")) if path.is_dir()]
        (self.file,) = self.folder.glob("*.wandb")
        self.config: dict[str, Any] = {}
        self.history: list[dict[str, Any]] = []
        self.summary: dict[str, Any] = {}
        self.step_metrics: set[str] = set()
        self.artifacts: dict[str, list[dict[str, str]]] = {}  # by type: where each one's files are, by their names
        self.exit_code: int | None = None
        for record in records(self.file):
            self._take(record)

    def _take(self, record: Any) -> None:
        kind = record.WhichOneof("record_type")
        if kind == "run":
            self.run = record.run
            self.config |= {item.key: json.loads(item.value_json) for item in record.run.config.update}
        elif kind == "history":
            self.history.append(nested(record.history.item))
        elif kind == "summary":
            self.summary |= nested(record.summary.update)
        elif kind == "metric":
            self.step_metrics.add(record.metric.step_metric)
        elif kind == "artifact":
            files = {entry.path: entry.local_path for entry in record.artifact.manifest.contents}
            self.artifacts.setdefault(record.artifact.type, []).append(files)
        elif kind == "exit":
            self.exit_code = record.exit.exit_code

    @property
    def keys(self) -> set[str]:
        """Every key that was logged."""
        return {key for row in self.history for key in row}


def nested(items: Any) -> dict[str, Any]:
    """The values of history or summary items; those of pictures come as ``[key, field]``."""
    values: dict[str, Any] = {}
    for item in items:
        key, *fields = [item.key] if item.key else item.nested_key
        if fields:
            values.setdefault(key, {})["/".join(fields)] = json.loads(item.value_json)
        else:
            values[key] = json.loads(item.value_json)
    return values
