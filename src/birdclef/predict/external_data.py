"""Find weights that an ONNX file keeps in other files, without loading them.

Loading would read the files that the model names. An ONNX file is a protocol buffer: each field
is a key, (number * 8 + type), and a value. Source: onnx.proto3, and the protocol buffers' guide
"Encoding". The onnx package is not part of the installation that only predicts.
"""

from collections.abc import Iterator

# message -> number of a field -> message in this field; only messages that can contain tensors
_FIELDS: dict[str, dict[int, str]] = {
    "model": {7: "graph", 20: "training", 25: "function"},
    "training": {1: "graph", 2: "graph"},
    "graph": {1: "node", 5: "tensor", 15: "sparse"},
    "function": {7: "node", 11: "attribute"},
    "node": {5: "attribute"},
    "attribute": {5: "tensor", 6: "graph", 10: "tensor", 11: "graph", 22: "sparse", 23: "sparse"},
    "sparse": {1: "tensor", 2: "tensor"},
    "tensor": {},
}
_EXTERNAL_DATA = 13  # field of a tensor
_MAX_DEPTH = 100  # of graphs in nodes of graphs; protocol buffers allow no more either


def has_external_data(content: bytes) -> bool:
    """Whether a tensor of an ONNX file is stored in another file.

    Raises:
        ValueError: the content is no protocol buffer.
    """
    pending = [(memoryview(content), "model", 0)]
    while pending:
        message, kind, depth = pending.pop()
        if depth > _MAX_DEPTH:
            raise ValueError(f"messages are nested more than {_MAX_DEPTH} deep")
        for number, value in _fields(message):
            if kind == "tensor" and number == _EXTERNAL_DATA:
                return True
            if number in _FIELDS[kind]:
                pending.append((value, _FIELDS[kind][number], depth + 1))
    return False


def _fields(message: memoryview) -> Iterator[tuple[int, memoryview]]:
    """Yield number and bytes of each field; a field that is a number has no bytes."""
    at = 0
    while at < len(message):
        key, at = _varint(message, at)
        kind, length = key & 7, 0
        if kind == 0:
            _, at = _varint(message, at)
        elif kind in (1, 5):
            at += 8 if kind == 1 else 4
        elif kind == 2:
            length, at = _varint(message, at)
        else:
            raise ValueError("Protobuf parsing failed")
        if at + length > len(message):
            raise ValueError("Protobuf parsing failed: the file is cut short")
        yield key >> 3, message[at : at + length]
        at += length


def _varint(message: memoryview, at: int) -> tuple[int, int]:
    """A number in groups of seven bits, lowest first, and the position after it."""
    value = 0
    for shift in range(0, 70, 7):
        if at >= len(message):
            raise ValueError("Protobuf parsing failed: the file is cut short")
        byte = message[at]
        at += 1
        value |= (byte & 127) << shift
        if byte < 128:
            return value, at
    raise ValueError("Protobuf parsing failed")
