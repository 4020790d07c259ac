"""What a consumer sees that is none of our hosts: the topic as it is in Kafka, where a record can
stand twice. It drops what is not above the highest id of its stream, as ARCHITECTURE.md says."""

import collections
import contextlib
import ctypes
import time

from .client import Broken

ORIGIN = b"host-origin"  # DATABASE/PLUGIN/SHARD/EPOCH-SEQ
READ_SECONDS = 300
FROM_THE_START = -2
END_OF_PARTITION = -191

Record = collections.namedtuple("Record", "partition offset key value origin")
Seen = collections.namedtuple("Seen", "records repeats overtaken")


class Message(ctypes.Structure):
    """rd_kafka_message_t"""
    _fields_ = [("error", ctypes.c_int), ("topic", ctypes.c_void_p),
                ("partition", ctypes.c_int32), ("payload", ctypes.c_void_p),
                ("size", ctypes.c_size_t), ("key", ctypes.c_void_p),
                ("key_size", ctypes.c_size_t), ("offset", ctypes.c_int64),
                ("private", ctypes.c_void_p)]


def client_library():
    library = ctypes.CDLL("librdkafka.so.1")
    pointer, text = ctypes.c_void_p, ctypes.c_char_p
    for name, returns, takes in (
            ("conf_new", pointer, ()),
            ("conf_set", ctypes.c_int, (pointer, text, text, text, ctypes.c_size_t)),
            ("new", pointer, (ctypes.c_int, pointer, text, ctypes.c_size_t)),
            ("destroy", None, (pointer,)),
            ("consumer_close", ctypes.c_int, (pointer,)),
            ("topic_partition_list_new", pointer, (ctypes.c_int,)),
            ("topic_partition_list_add", pointer, (pointer, text, ctypes.c_int32)),
            ("topic_partition_list_set_offset", ctypes.c_int,
             (pointer, text, ctypes.c_int32, ctypes.c_int64)),
            ("topic_partition_list_destroy", None, (pointer,)),
            ("assign", ctypes.c_int, (pointer, pointer)),
            ("consumer_poll", ctypes.POINTER(Message), (pointer, ctypes.c_int)),
            ("message_destroy", None, (ctypes.POINTER(Message),)),
            ("message_headers", ctypes.c_int, (ctypes.POINTER(Message), ctypes.POINTER(pointer))),
            ("header_get_last", ctypes.c_int, (pointer, text, ctypes.POINTER(pointer),
                                               ctypes.POINTER(ctypes.c_size_t)))):
        function = getattr(library, f"rd_kafka_{name}")
        function.restype, function.argtypes = returns, takes
    return library


@contextlib.contextmanager
def consumer(library, address, topic, partitions):
    conf, why = library.rd_kafka_conf_new(), ctypes.create_string_buffer(500)
    for name, value in ((b"bootstrap.servers", address.encode()), (b"group.id", b"foreign"),
                        (b"enable.auto.commit", b"false"), (b"enable.partition.eof", b"true")):
        if library.rd_kafka_conf_set(conf, name, value, why, len(why)) != 0:
            raise Broken(f"a foreign consumer: {why.value.decode()}")
    client = library.rd_kafka_new(1, conf, why, len(why))
    if not client:
        raise Broken(f"a foreign consumer: {why.value.decode()}")
    where = library.rd_kafka_topic_partition_list_new(partitions)
    for number in range(partitions):
        library.rd_kafka_topic_partition_list_add(where, topic, number)
        library.rd_kafka_topic_partition_list_set_offset(where, topic, number, FROM_THE_START)
    library.rd_kafka_assign(client, where)
    library.rd_kafka_topic_partition_list_destroy(where)
    try:
        yield client
    finally:
        library.rd_kafka_consumer_close(client)
        library.rd_kafka_destroy(client)


def origin_of(library, message):
    headers, value, size = ctypes.c_void_p(), ctypes.c_void_p(), ctypes.c_size_t()
    if library.rd_kafka_message_headers(message, ctypes.byref(headers)) != 0:
        return None
    if library.rd_kafka_header_get_last(headers, ORIGIN, ctypes.byref(value),
                                        ctypes.byref(size)) != 0:
        return None
    return ctypes.string_at(value, size.value).decode()


def records_of(address, topic, partitions):
    """All that are in the topic now, by partition in the order of their offsets."""
    library, open_ones = client_library(), set(range(partitions))
    deadline = time.monotonic() + READ_SECONDS
    with consumer(library, address, topic.encode(), partitions) as client:
        while open_ones:
            if time.monotonic() > deadline:
                raise Broken(f"{topic} cannot be read to its end in {READ_SECONDS} s")
            message = library.rd_kafka_consumer_poll(client, 500)
            if not message:
                continue
            it = message.contents
            if it.error == END_OF_PARTITION:
                open_ones.discard(it.partition)
            elif it.error == 0:
                yield Record(it.partition, it.offset, ctypes.string_at(it.key, it.key_size).decode(),
                             ctypes.string_at(it.payload, it.size), origin_of(library, message))
            library.rd_kafka_message_destroy(message)


def seen_of(records):
    """What is left when repeats are dropped, how many those were, and what was dropped without
    having been there before: it came behind later ones of its stream, which loses it."""
    kept, repeats, overtaken, marks, places = [], 0, [], {}, set()
    for record in records:
        if record.origin:
            stream, _, position = record.origin.rpartition("/")
            place = tuple(int(part) for part in position.split("-"))
            mark = marks.get((record.partition, stream), (-1, -1))
            if place <= mark:
                repeats += 1
                if (record.partition, record.origin) not in places:
                    overtaken.append(f"{record} came after {mark}")
                continue
            marks[record.partition, stream] = place
            places.add((record.partition, record.origin))
        kept.append(record)
    return Seen(kept, repeats, overtaken)


def read(address, topic, partitions):
    return seen_of(records_of(address, topic, partitions))
