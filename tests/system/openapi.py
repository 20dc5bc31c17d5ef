# SPDX-License-Identifier: MIT
"""Whether an answer is what an OpenAPI file says: as much of JSON Schema as ours uses; what it does not know is an error."""
import re

NOTES = {"description", "format", "default"}
TYPES = {"object": dict, "array": list, "string": str, "boolean": bool, "null": type(None)}


class Mismatch(Exception):
    pass


def has_type(value, name):
    if name in ("number", "integer"):
        return isinstance(value, int if name == "integer" else (int, float)) and not isinstance(value, bool)
    return isinstance(value, TYPES[name])


class Description:
    def __init__(self, document):
        self.document = document

    def resolve(self, node):
        while "$ref" in node:
            path = node["$ref"].split("/")
            assert path[0] == "#", node
            node = self.document
            for part in path[1:]:
                node = node[part]
        return node

    def check(self, schema, value, where="$"):
        schema = self.resolve(schema)

        def must(holds, what):
            if not holds:
                raise Mismatch(f"{where}: {what}: {value!r}")

        for word, wanted in schema.items():
            if word == "type":
                must(any(has_type(value, one) for one in ([wanted] if isinstance(wanted, str) else wanted)), wanted)
            elif word == "enum":
                must(value in wanted, wanted)
            elif word == "required":
                must(not set(wanted) - set(value), f"lacks {set(wanted) - set(value)}")
            elif word == "properties":
                must(not set(value) - set(wanted), f"{set(value) - set(wanted)} are not described")
                for name in value:
                    self.check(wanted[name], value[name], f"{where}.{name}")
            elif word == "items":
                for i, one in enumerate(value):
                    self.check(wanted, one, f"{where}[{i}]")
            elif word in ("minItems", "minLength"):
                must(len(value) >= wanted, word)
            elif word == "maxItems":
                must(len(value) <= wanted, word)
            elif word == "minimum":
                must(value >= wanted, word)
            elif word == "maximum":
                must(value <= wanted, word)
            elif word == "pattern":
                must(re.search(wanted, value), wanted)
            elif word not in NOTES:
                raise Mismatch(f"{where}: the word {word} is not known here")

    def answer(self, method, path, answer):
        """`answer` (test_http.Answer) has a status that is listed, its type of content and its schema."""
        operation = self.document["paths"][path][method.lower()]
        if str(answer.status) not in operation["responses"]:
            raise Mismatch(f"{method} {path}: {answer.status} is not described")
        response = self.resolve(operation["responses"][str(answer.status)])
        for name in response.get("headers", {}):
            if name not in ("Link", "Retry-After") and answer[name.lower()] is None:
                raise Mismatch(f"{method} {path}: no {name}")
        content = response.get("content")
        if not content:
            if answer.body:
                raise Mismatch(f"{method} {path}: a body that is not described")
            return
        if path == "/" and not answer.body and answer["content-type"] is None:
            return  # the answer to a report; the page is described beside it
        kind = (answer["content-type"] or "").split(";")[0]
        if kind not in content:
            raise Mismatch(f"{method} {path}: {kind} is not described")
        text = kind.startswith("text/")
        self.check(content[kind]["schema"], answer.body.decode() if text else answer.json())
