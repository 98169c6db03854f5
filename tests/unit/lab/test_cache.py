"""ConfigMaps and Secrets of a pod: asked for once, kept when the API is silent, replaced when it speaks by itself."""

import asyncio

import pytest

from stormlab.client import ApiError
from stormlab.node.cache import CachedObjects

PATH = "/api/v1/namespaces/bank/configmaps/cm"


class Api:
    """Answers when it is let, as it knew things when it was asked."""

    def __init__(self):
        self.asked = 0
        self.version = 1
        self.error = None
        self.may_answer = asyncio.Event()
        self.may_answer.set()
        self.was_asked = asyncio.Event()

    def object(self):
        return {"metadata": {"resourceVersion": str(self.version)}}

    async def get(self, path):
        self.asked += 1
        self.was_asked.set()
        found = self.object()
        await self.may_answer.wait()
        if self.error:
            raise self.error
        return found


def test_it_is_asked_for_once_and_then_only_heard_of():
    async def work():
        api = Api()
        cache = CachedObjects(api)
        assert (await cache.get(PATH))["metadata"]["resourceVersion"] == "1"
        api.version = 2
        cache.heard(PATH, api.object())
        assert (await cache.get(PATH))["metadata"]["resourceVersion"] == "2"
        assert api.asked == 1
        cache.heard(PATH, None)
        api.error = ApiError(404, "NotFound", "gone")
        with pytest.raises(ApiError):
            await cache.get(PATH)

    asyncio.run(work())


def test_a_change_while_an_answer_is_under_way_is_not_lost():
    async def work():
        api = Api()
        api.may_answer.clear()
        cache = CachedObjects(api)
        asking = asyncio.create_task(cache.get(PATH))
        await api.was_asked.wait()
        api.version = 2
        cache.heard(PATH, api.object())
        api.may_answer.set()
        assert (await asking)["metadata"]["resourceVersion"] == "2"
        assert (await cache.get(PATH))["metadata"]["resourceVersion"] == "2"

    asyncio.run(work())


def test_what_nobody_asked_for_is_not_kept():
    async def work():
        api = Api()
        cache = CachedObjects(api)
        cache.heard(PATH, {"metadata": {"resourceVersion": "7"}})
        assert (await cache.get(PATH))["metadata"]["resourceVersion"] == "1"

    asyncio.run(work())
