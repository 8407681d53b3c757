"""Numbers that Swift and Python make alike, so that a trace need not store its weights and batches.

    k(i)     = splitmix64(fnv1a64(name) + i * 0x9E3779B97F4A7C15) >> 40      24 bits, all arithmetic modulo 2^64
    u(i)     = k / 2^24                                                     in [0, 1), exact in float32
    weight   = (2u - 1) * bound                                             one float32 rounding
    input    = (2u - 1) * float32(sqrt 3)                                   one float32 rounding
    class    = (k * classes) >> 24                                          integers
"""
import numpy as np

GOLDEN = np.uint64(0x9E3779B97F4A7C15)


def fnv1a64(name):
    value = 0xCBF29CE484222325
    for byte in name.encode():
        value = ((value ^ byte) * 0x100000001B3) & 0xFFFFFFFFFFFFFFFF
    return np.uint64(value)


def splitmix64(x):
    with np.errstate(over="ignore"):
        z = x + GOLDEN
        z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        return z ^ (z >> np.uint64(31))


def bits(name, count):
    """The first `count` 24-bit integers of stream `name`."""
    with np.errstate(over="ignore"):
        return splitmix64(fnv1a64(name) + np.arange(count, dtype=np.uint64) * GOLDEN) >> np.uint64(40)


def symmetric(name, shape, bound):
    """float32 numbers in [-bound, bound), row-major."""
    k = bits(name, int(np.prod(shape))).astype(np.int64)
    unit = ((2 * k - (1 << 24)).astype(np.float64) / (1 << 24)).astype(np.float32)  # exact
    return (unit * np.float32(bound)).reshape(shape)


def classes(name, shape, count):
    """Integers in 0 ..< count, row-major."""
    k = bits(name, int(np.prod(shape))).astype(np.int64)
    return ((k * count) >> 24).reshape(shape)
