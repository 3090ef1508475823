"""Where over gRPC Forkcast answers otherwise than MLServer, beyond or against what differs over REST."""

from differences import Difference

# The messages have no nested lists.
ALIKE = ("reviews: five texts, nested", "visitors: nested columns")
DIFFERENCES = [
    Difference("what cannot be predicted is its caller's fault, where MLServer has INTERNAL", 400, 500, (
        "flowers: FP64 of NaN", "flowers: FP64 of Infinity", "flowers: FP64 of -Infinity", "flowers: FP64 of 1e400",
        "flowers: FP64 of -1e400", 'flowers: datatype is ""', 'flowers: datatype is "fp64"',
        'flowers: datatype is "FP65"', 'flowers: datatype is "BF16"', 'flowers: datatype is "float64"',
        "reviews: datatype bytes in small letters",
    )),
    Difference("BYTES are texts in UTF-8, where MLServer leaves bytes that a text model cannot take", 200, 500, (
        "reviews: no content type, [5]", "reviews: content type np, [5]",
        "reviews: content type np of the request, [5]", "reviews: content type pd_json",
        "reviews: content type that there is not",
    )),
    Difference("BYTES are texts in UTF-8, where MLServer leaves bytes that no category is equal to", 200, 200, (
        "visitors: city without content type",
    )),
    Difference("parameters that say nothing are passed over, whatever their type", 200, 500, (
        "reviews: content type is a number", "flowers: parameters with headers that are none",
    )),
]  # fmt: skip
