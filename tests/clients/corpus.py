"""All requests that Forkcast and MLServer are asked alike."""

import array_requests
import table_requests
import text_requests
import wrong_requests

CORPUS = [*text_requests.CORPUS, *array_requests.CORPUS, *table_requests.CORPUS, *wrong_requests.CORPUS]
