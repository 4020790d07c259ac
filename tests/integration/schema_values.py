"""Values for JSON Schemas as the host writes them: such that fit, such that do not, and a check.

It knows the words that the host uses, and raises for others, so that none goes untested.
"""

import math
import random
import re

try:
    from re import _constants as sre_constants, _parser as sre_parser
except ImportError:  # before Python 3.11
    import sre_constants
    import sre_parse as sre_parser

KNOWN = {
    "type", "format", "pattern", "minLength", "maxLength", "minimum", "maximum", "multipleOf",
    "minItems", "maxItems", "minProperties", "maxProperties", "items", "additionalProperties",
    "properties", "required", "oneOf", "discriminator", "enum", "default", "description", "title",
    "examples", "writeOnly", "formatMinimum", "formatMaximum",
}
ODD_TEXTS = ["ada", "Zoë", "漢字", "a b", "quote\" ' \\", "\U0001f989", "100%", "%2e%2e", "<b>&", "x" * 600]
SECONDS = {"us": 1e-6, "ms": 1e-3, "s": 1, "m": 60, "h": 3600, "d": 86400, "": 1}


def types_of(schema):
    unknown = set(schema) - KNOWN
    assert not unknown, f"words of a schema that this test does not know: {unknown}"
    given = schema.get("type", [])
    return [given] if isinstance(given, str) else given


# --- texts that match a pattern --------------------------------------------------------------------

def character(choices, chance):
    """One character of a set, as the parser of regular expressions gives it."""
    negated = choices and choices[0][0] is sre_constants.NEGATE
    listed = []
    for kind, value in choices:
        if kind is sre_constants.LITERAL:
            listed.append(chr(value))
        elif kind is sre_constants.RANGE:
            listed.extend(chr(c) for c in range(value[0], min(value[1], value[0] + 200) + 1))
        elif kind is sre_constants.CATEGORY:
            listed.append({"CATEGORY_SPACE": " ", "CATEGORY_DIGIT": "7"}.get(str(value), "a"))
    if negated:
        listed = [c for c in "aZ5_-." if c not in listed]
    return chance.choice(listed)


def written(parsed, chance):
    out = ""
    for kind, value in parsed:
        if kind is sre_constants.LITERAL:
            out += chr(value)
        elif kind is sre_constants.NOT_LITERAL:
            out += "a" if value != ord("a") else "b"
        elif kind is sre_constants.ANY:
            out += "a"
        elif kind is sre_constants.IN:
            out += character(value, chance)
        elif kind in (sre_constants.MAX_REPEAT, sre_constants.MIN_REPEAT):
            least, most, inner = value
            for _ in range(chance.randint(least, min(int(most), least + 5))):
                out += written(inner, chance)
        elif kind is sre_constants.SUBPATTERN:
            out += written(value[-1], chance)
        elif kind is sre_constants.BRANCH:
            out += written(chance.choice(value[1]), chance)
        elif kind is not sre_constants.AT:
            raise AssertionError(f"a pattern has {kind}, which this test does not know")
    return out


# --- values that fit -------------------------------------------------------------------------------

def text(schema, chance):
    if "pattern" in schema:
        return written(sre_parser.parse(schema["pattern"]), chance)
    least, most = schema.get("minLength", 0), schema.get("maxLength", 600)
    found = chance.choice(ODD_TEXTS + ["a" * least, "é" * most, "" if least == 0 else "a" * least])
    return (found + "z" * least)[:max(least, min(most, len(found)))]


def number(schema, chance, whole):
    least = schema.get("minimum", schema.get("maximum", 0) - 1000)
    most = schema.get("maximum", schema.get("minimum", 0) + 1000)
    found = chance.choice([least, most, chance.uniform(least, most)])
    if whole:
        return min(math.floor(most), max(math.ceil(least), round(found)))
    if "multipleOf" in schema:
        return min(most, max(least, round(found, 2)))
    return found


def valid(schema, chance, deep=0):
    """A value that fits; each call another one."""
    types = types_of(schema)
    if "enum" in schema:
        return chance.choice(schema["enum"])
    if "oneOf" in schema:
        return valid(chance.choice(schema["oneOf"]), chance, deep)
    if schema.get("format") == "duration":
        least, most = schema.get("minimum", 0), schema.get("maximum", 100)
        seconds = chance.choice([least, most, (least + most) / 2])
        return chance.choice([seconds, f"{round(seconds * 1000)}ms"])
    if "boolean" in types:
        return chance.choice([True, False])
    if "integer" in types or "number" in types:
        return number(schema, chance, "integer" in types)
    if "string" in types:
        if schema.get("format") == "date-time":
            if "formatMinimum" in schema or "formatMaximum" in schema:
                return schema.get("formatMinimum", schema.get("formatMaximum"))
            return chance.choice(["2026-11-21T12:00:00Z", "1999-12-31T23:59:59.999999+02:00"])
        if schema.get("format") == "uri":
            return "https://example.com/a?b=c"
        return text(schema, chance)
    if "array" in types:
        least = schema.get("minItems", 0)
        count = chance.choice([least, schema.get("maxItems", least + 3)])
        return [valid(schema["items"], chance, deep + 1) for _ in range(count)]
    if "object" in types and "additionalProperties" in schema:
        least = schema.get("minProperties", 0)
        count = chance.choice([least, schema.get("maxProperties", least + 3)])
        return {f"key{i}": valid(schema["additionalProperties"], chance, deep + 1)
                for i in range(count)}
    if "object" in types:
        needed = schema.get("required", [])
        every = chance.random() < 0.5
        return {name: valid(inner, chance, deep + 1)
                for name, inner in schema.get("properties", {}).items()
                if name in needed or every or chance.random() < 0.3}
    return chance.choice([1, "any", True, [1, {"a": []}], {"deep": {"er": [2.5]}}, -9007199254740993])


# --- values that do not ----------------------------------------------------------------------------

def broken(schema, chance):
    """Values each of which breaks one rule of the schema."""
    types = types_of(schema)
    if "enum" in schema:
        return ["no such choice", 1e9, {}]
    if "oneOf" in schema:
        return [7, {}, {schema["discriminator"]["propertyName"]: "no such variant"}]
    if schema.get("format") == "duration":
        out = ["soon", -1, {}, "5 parsecs"]
        if "maximum" in schema:
            out.append(schema["maximum"] + 1)
        return out
    out = []
    if "boolean" in types:
        out = ["maybe", 2, {}]
    elif "integer" in types or "number" in types:
        out = ["many", [], {}, True]
        if "minimum" in schema:
            out.append(schema["minimum"] - 1)
        if "maximum" in schema:
            out.append(schema["maximum"] + 1)
        if "integer" in types:
            out.append(schema.get("minimum", 0) + 0.5)
        if "multipleOf" in schema:
            out.append(schema.get("minimum", 0) + 0.001)
    elif "string" in types:
        out = [7, [], {}, True]
        if schema.get("minLength"):
            out.append("")
        if "maxLength" in schema:
            out.append("é" * (schema["maxLength"] + 1))
        if schema.get("format") in ("date-time", "uri"):
            out.append("yesterday")
        if "pattern" in schema and not re.search(schema["pattern"], "\u00a7 \u00a7"):
            out.append("\u00a7 \u00a7")
    elif "array" in types:
        out = ["a", 7, {"0": 1}]
        if "maxItems" in schema:
            item = valid(schema["items"], chance)
            out.append([item] * (schema["maxItems"] + 1))
        out += [[one] for one in broken(schema["items"], chance)
                if schema.get("minItems", 0) <= 1 <= schema.get("maxItems", 1)]
    elif "object" in types and "additionalProperties" in schema:
        out = ["a", 7, []] + [{"key": one} for one in broken(schema["additionalProperties"], chance)]
    elif "object" in types:
        out = ["a", 7, [1]] + broken_records(schema, chance)
    return out


def broken_records(schema, chance):
    out = []
    for name in schema.get("required", []):
        out.append({k: v for k, v in valid(schema, chance).items() if k != name})
    for name, inner in schema.get("properties", {}).items():
        out += [{**valid(schema, chance), name: one} for one in broken(inner, chance)]
    return out


# --- the check -------------------------------------------------------------------------------------

def is_number(value):
    return isinstance(value, (int, float)) and not isinstance(value, bool)


IS = {
    "string": lambda v: isinstance(v, str), "boolean": lambda v: isinstance(v, bool),
    "number": is_number, "integer": lambda v: is_number(v) and v == int(v),
    "array": lambda v: isinstance(v, list), "object": lambda v: isinstance(v, dict),
}


def misfit(schema, value, at="the answer"):
    """Why a value does not fit, or ""."""
    types = types_of(schema)
    if "enum" in schema and value not in schema["enum"]:
        return f"{at} is {value!r}, not one of {schema['enum']}"
    if "oneOf" in schema:
        found = [misfit(one, value, at) for one in schema["oneOf"]]
        return "" if found.count("") == 1 else f"{at} fits {found.count('')} variants: {found}"
    if types and not any(IS[one](value) for one in types):
        return f"{at} is {value!r}, not {types}"
    if isinstance(value, dict):
        for name in schema.get("required", []):
            if name not in value:
                return f"{at}.{name} is missing"
        for name, one in value.items():
            inner = schema.get("properties", {}).get(name, schema.get("additionalProperties", {}))
            why = misfit(inner, one, f"{at}.{name}")
            if why:
                return why
    if isinstance(value, list):
        for n, one in enumerate(value):
            why = misfit(schema.get("items", {}), one, f"{at}[{n}]")
            if why:
                return why
    size = len(value) if isinstance(value, (str, list, dict)) else value
    for least, most in (("minLength", "maxLength"), ("minItems", "maxItems"),
                        ("minimum", "maximum")):
        wanted = {"minLength": str, "minItems": list, "minimum": (int, float)}[least]
        if isinstance(value, wanted) and not isinstance(value, bool):
            if not schema.get(least, size) <= size <= schema.get(most, size):
                return f"{at} is {value!r}, beyond {least} or {most}"
    if isinstance(value, str) and not re.search(schema.get("pattern", ""), value):
        return f"{at} is {value!r}, not {schema['pattern']}"
    return ""


def seeded(*words):
    """The same chance for the same words."""
    return random.Random("/".join(words))
