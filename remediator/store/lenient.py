"""Reading what a newer program may have stored: what this one does not know of is left out.

Only to show it, and to compare. An action that is to be applied is read as strictly as it was made: what is left out of
it could be what it must not do.
"""

from collections.abc import Mapping
from dataclasses import fields
from typing import Any, TypeVar

from pydantic import BaseModel

from remediator.model.rollout import Member
from remediator.model.task import Action, Plan

M = TypeVar("M", bound=BaseModel)


def known_of(kind: type[M], stored: Mapping[str, Any]) -> M:
    """Raises pydantic.ValidationError where what is known of it is not as it should be."""
    return kind.model_validate({name: value for name, value in stored.items() if name in kind.model_fields})


def plan_of(stored: Mapping[str, Any]) -> Plan:
    """A plan with what is known of its actions."""
    return known_of(Plan, {**stored, "actions": [known_of(Action, one) for one in stored["actions"]]})


def member_of(stored: Mapping[str, Any]) -> Member:
    """A host of a rollout."""
    names = {field.name for field in fields(Member)}
    return Member(**{name: value for name, value in stored.items() if name in names})
