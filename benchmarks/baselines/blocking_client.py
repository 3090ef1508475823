"""A feature store that is asked by a client with a pool of connections, which holds its thread until the answer."""

import urllib3

from benchmarks.baselines.stored import JSON, URL, query, text_in

# One for each thread of the framework's pool.
CONNECTIONS = 40
pool = urllib3.PoolManager(maxsize=CONNECTIONS, retries=False)


def stored_text(entity_id: str) -> str:
    """Raises KeyError or ValueError where the store answers anything else."""
    return text_in(pool.request("POST", URL, body=query(entity_id), headers=JSON).data, entity_id)
