"""Why a deviation rule is not taken; each text is for the caller."""


class RuleError(Exception):
    """A rule is not taken."""


class RuleExistsError(RuleError):
    """There is one about the same already."""


class TooManyRulesError(RuleError):
    """There are as many as there may be: every edge holds all of them."""
