"""What an answer of the API is held to: the schemas of its OpenAPI document."""


def fits(value, schema, schemas, where):
    """A small part of JSON Schema: $ref, allOf, type, enum, required, properties, items."""
    if "$ref" in schema:
        return fits(value, schemas[schema["$ref"].rsplit("/", 1)[1]], schemas, where)
    for part in schema.get("allOf", []):
        fits(value, part, schemas, where)
    if "enum" in schema:
        assert value in schema["enum"], f"{where}: {value!r} is none of {schema['enum']}"
    kinds = {"object": dict, "array": list, "string": str, "integer": int, "boolean": bool, "null": type(None)}
    types = schema.get("type", [])
    types = [types] if isinstance(types, str) else types
    assert not types or isinstance(value, tuple(kinds[name] for name in types)), f"{where}: {value!r} is no {types}"
    if isinstance(value, dict):
        for name in schema.get("required", []):
            assert name in value, f"{where}: no {name}"
        for name, part in schema.get("properties", {}).items():
            if name in value:
                fits(value[name], part, schemas, f"{where}.{name}")
    if isinstance(value, list) and "items" in schema:
        for index, item in enumerate(value):
            fits(item, schema["items"], schemas, f"{where}[{index}]")
