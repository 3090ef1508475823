"""Every request, by the model that it is asked of and its name."""

import mlflow_array_requests as arrays
import mlflow_mixed_requests as mixed
import mlflow_protocol_requests as protocol
import mlflow_table_requests as tables
from mlflow_requests import Request, requests

CORPUS: dict[str, dict[str, Request]] = {
    "flowers": requests({**protocol.AROUND, **tables.FLOWERS}),
    "flowers-proba": requests(mixed.PROBABILITIES),
    "flowers-unsigned": requests(mixed.UNSIGNED),
    "flats": requests(mixed.FLATS),
    "visitors": requests(mixed.VISITORS),
    "reviews": requests(mixed.REVIEWS),
    "texts": requests(arrays.TEXT),
    "texts-unsigned": requests(arrays.TEXT),
    "array": requests(arrays.BOTH),
    "array-unsigned": requests(arrays.BOTH),
    "scaled": requests(protocol.PARAMS),
    "texts-listed": requests(arrays.TEXT),
}
