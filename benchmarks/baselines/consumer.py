"""The process behind the queue: `python -m benchmarks.baselines.consumer` predicts one request after the other."""

import json
import os

REQUESTS = "requests"
READY = "consumers"
# Of an answer that nobody has fetched.
KEPT_SECONDS = 60


def main() -> None:
    # Not at the top: the names of the keys are imported where there is no model, and perhaps no Redis.
    from redis import Redis

    from benchmarks.baselines.model import predict

    # Waiting for a request is not a dead connection.
    redis = Redis.from_url(os.environ["REDIS_URL"], socket_timeout=None)
    redis.incr(READY)
    while True:
        popped = redis.brpop([REQUESTS])
        assert popped is not None
        answer_key, instances = json.loads(popped[1])
        try:
            answers = predict(instances)
        except ValueError:
            # One that the estimator cannot take must not be the consumer's end.
            answers = None
        with redis.pipeline(transaction=False) as pipeline:
            pipeline.lpush(answer_key, json.dumps(answers))
            pipeline.expire(answer_key, KEPT_SECONDS)
            pipeline.execute()


if __name__ == "__main__":
    main()
