"""The schema as it was compiled, in words that tests and the documentation use."""

from __future__ import annotations

from google.protobuf.descriptor import Descriptor, FieldDescriptor

from protocol.pb import broker_pb2 as pb

KINDS = {
    FieldDescriptor.TYPE_UINT64: "uint64",
    FieldDescriptor.TYPE_UINT32: "uint32",
    FieldDescriptor.TYPE_BYTES: "bytes",
    FieldDescriptor.TYPE_STRING: "string",
    FieldDescriptor.TYPE_DOUBLE: "double",
    FieldDescriptor.TYPE_FLOAT: "float",
    FieldDescriptor.TYPE_BOOL: "bool",
}


def describe(field: FieldDescriptor) -> str:
    """Number and type of a field: ``"3 repeated uint64"``, ``"14 optional double"``."""
    if field.enum_type is not None:
        kind = field.enum_type.name
    elif field.message_type is not None:
        kind = field.message_type.name
    else:
        kind = KINDS[field.type]
    label = "repeated " if field.is_repeated else "optional " if field.has_presence and field.message_type is None else ""
    return f"{field.number} {label}{kind}"


def fields(message: Descriptor) -> dict[str, str]:
    """The fields of a message by name."""
    return {field.name: describe(field) for field in message.fields}


MESSAGES: dict[str, Descriptor] = dict(pb.DESCRIPTOR.message_types_by_name)
_ENUM_TYPES = [
    *pb.DESCRIPTOR.enum_types_by_name.values(),
    *(enum for message in MESSAGES.values() for enum in message.enum_types),
]
ENUMS = {enum.full_name.removeprefix("protocol."): {value.name: value.number for value in enum.values} for enum in _ENUM_TYPES}
"""Those that stand inside a message are named after it too: ``"PeerEvent.Kind"``."""
