"""zot's decisions, as `AccessController.can` of zot 2.1 makes them, for a configuration of `accessControl`.

What zot itself answered is in `config/foreign/zot_answers.json`.
"""

from simple_registry.access.scopes import ScopePattern
from simple_registry.config.foreign.globs import parse_glob
from simple_registry.config.foreign.languages import NOTHING, pattern


def matches(glob, name):
    expression = parse_glob(glob)
    return expression != NOTHING and ScopePattern(pattern(expression)).matches(name)


def longest(control, name):
    """The patterns that count for a repository: more than one where zot takes either."""
    found = [glob for glob in control.get("repositories", {}) if not glob or matches(glob, name)]
    length = max(map(len, found), default=0)
    return [glob for glob in found if len(glob) == length]


def can(control, user, action, name):
    """Whether zot lets a user (`None`: no credentials) do something: always, whichever pattern it takes."""
    # It reads keys in lower case, and values as they are.
    groups = {group.lower() for group, each in control.get("groups", {}).items() if user in each["users"]}
    control = {**control, "repositories": {key.lower(): value for key, value in control["repositories"].items()}}

    def applies(policy):
        given = user in policy.get("users", ()) or not groups.isdisjoint(policy.get("groups", ()))
        return given and action in policy["actions"] and not policy.get("conditions")

    def given_by(rules):
        if user is None:
            return action in rules.get("anonymousPolicy", ())
        return any(map(applies, rules.get("policies", ()))) or action in rules.get("defaultPolicy", ())

    counting = longest(control, name)
    by_rule = bool(counting) and all(given_by(control["repositories"][glob]) for glob in counting)
    return by_rule or (user is not None and "adminPolicy" in control and applies(control["adminPolicy"]))
