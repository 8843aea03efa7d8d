"""The risk manager: one small named check per rule, one verdict per judgement. What no rule looked at is refused."""
