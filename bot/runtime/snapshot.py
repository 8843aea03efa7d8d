"""Copies of the core's mutable records, so that several steps can share one commit."""

from collections.abc import Iterable
from dataclasses import replace

from bot.domain.actions import Action, Persist
from bot.domain.hedges import Hedge, Removal
from bot.domain.orders import OrderRecord


def snapshots(actions: Iterable[Action]) -> list[Action]:
    """The actions of one step with their records as they are now."""
    return [snapshot(each) if isinstance(each, Persist) else each for each in actions]


def snapshot(action: Persist) -> Persist:
    """The record as it is now; immutable records are returned as they are."""
    record = action.record
    if isinstance(record, OrderRecord):
        return Persist(replace(record, fill_keys=set(record.fill_keys)))
    if isinstance(record, Hedge):
        legs = tuple(replace(leg) for leg in record.legs)
        return Persist(replace(record, legs=legs, order_ids=list(record.order_ids)))
    if isinstance(record, Removal):
        return Persist(replace(record, days=dict(record.days)))
    return action
