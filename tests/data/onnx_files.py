"""ONNX files, written byte by byte: tests need two operators, not the onnx package."""

from pathlib import Path


def _varint(number: int) -> bytes:
    parts = []
    while number >= 128:
        parts.append(number % 128 + 128)
        number //= 128
    return bytes([*parts, number])


def _field(number: int, value: int | bytes | str) -> bytes:
    """One field of a protocol buffer: an integer, or a text or message with its length."""
    if isinstance(value, int):
        return _varint(8 * number) + _varint(value)
    content = value.encode() if isinstance(value, str) else value
    return _varint(8 * number + 2) + _varint(len(content)) + content


def _value(name: str, *sides: str | int) -> bytes:
    """A ValueInfoProto of 32-bit floats; a side is a number, or the name of one that varies."""
    dims = b"".join(_field(1, _field(1 if isinstance(side, int) else 2, side)) for side in sides)
    return _field(1, name) + _field(2, _field(1, _field(1, 1) + _field(2, dims)))


def write_mean_of_channels(path: Path, outputs: int = 1) -> Path:
    """A model (1, 3, H, W) → (1, 1, H, W), the mean of the channels, `outputs` times."""
    axes = _field(1, "axes") + _field(8, 1) + _field(20, 7)
    keep = _field(1, "keepdims") + _field(3, 1) + _field(20, 2)
    graph = b""
    for number in range(outputs):
        node = _field(1, "x") + _field(2, f"y{number}") + _field(4, "ReduceMean") + _field(5, axes) + _field(5, keep)
        graph += _field(1, node)
    graph += _field(2, "mean") + _field(11, _value("x", 1, 3, "h", "w"))
    graph += b"".join(_field(12, _value(f"y{number}", 1, 1, "h", "w")) for number in range(outputs))
    path.write_bytes(_field(1, 7) + _field(8, _field(1, "") + _field(2, 13)) + _field(7, graph))
    return path
