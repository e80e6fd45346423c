#!/usr/bin/env python3
"""Writes the C++ structs of every signed message: generate_eip712.py protocol/eip712.json OUT_DIR

OUT_DIR gets eip712_messages.hpp and eip712_messages.cpp. A file whose content would not change is
left alone, so that nothing is rebuilt. A fault in the input is a message and exit code 1.
"""
import json
import pathlib
import re
import sys

CPP_TYPES = {
    "address": ("Address", "{}"),
    "bytes32": ("Hash32", "{}"),
    "uint256": ("U256", "{}"),
    "uint128": ("u128", " = 0"),
    "uint64": ("uint64_t", " = 0"),
    "uint32": ("uint32_t", " = 0"),
    "uint16": ("uint16_t", " = 0"),
    "uint8": ("uint8_t", " = 0"),
    "int32": ("int32_t", " = 0"),
    "bool": ("bool", " = false"),
    "string": ("std::string", "{}"),
}
# Words of C++ that a field could plausibly be called.
KEYWORDS = set("and auto bool break case catch class const continue default delete do else enum "
               "explicit export extern false for friend goto if inline int long mutable namespace "
               "new not operator or private protected public register requires return short signed "
               "sizeof static struct switch template this throw true try typedef typename union "
               "unsigned using virtual void volatile while xor".split())


def fail(message):
    sys.exit(f"generate_eip712.py: {message}")


def base_of(solidity_type):
    return solidity_type.removesuffix("[]")


def cpp_name(json_name):
    snake = re.sub(r"(?<=[a-z0-9])([A-Z])", r"_\1", json_name).lower()
    return snake + "_" if snake in KEYWORDS else snake


def cpp_field(type_name, solidity_type, types):
    base = base_of(solidity_type)
    if base in CPP_TYPES:
        cpp, initial = CPP_TYPES[base]
    elif base in types:
        cpp, initial = base, "{}"
    else:
        fail(f"{type_name}: unknown type {solidity_type}")
    return (f"std::vector<{cpp}>", "{}") if solidity_type != base else (cpp, initial)


def references(name, types):
    """Every struct that `name` mentions, directly or not, without itself."""
    found = set()
    waiting = [name]
    while waiting:
        for field in types[waiting.pop()]:
            base = base_of(field["type"])
            if base in types and base not in found:
                found.add(base)
                waiting.append(base)
    if name in found:
        fail(f"{name} contains itself")
    return sorted(found)


def encode_one(name, types):
    return f"{name}({','.join(f['type'] + ' ' + f['name'] for f in types[name])})"


def in_order(types):
    """The types' names, each after those it mentions, otherwise as in the file."""
    done = []
    for name in types:
        for each in sorted(references(name, types), key=lambda r: len(references(r, types))):
            if each not in done:
                done.append(each)
        if name not in done:
            done.append(name)
    return done


def chunks(text, width):
    return [text[i:i + width] for i in range(0, len(text), width)]


def header(types):
    out = ["// Every message that Mizan signs, generated from protocol/eip712.json; not edited.",
           "// SPDX-License-Identifier: Apache-2.0",
           "#pragma once", "",
           '#include "base/bytes.hpp"', '#include "base/checked.hpp"', "",
           "#include <cstdint>", "#include <string>", "#include <string_view>",
           "#include <tuple>", "#include <vector>", "",
           "namespace mizan::eip712 {", ""]
    names = in_order(types)
    for name in names:
        full = encode_one(name, types) + "".join(
            encode_one(each, types) for each in references(name, types))
        out.append(f"struct {name} {{")
        out.append(f'  static constexpr std::string_view kName = "{name}";')
        out.append("  static constexpr std::string_view kType =")
        out += [f'      "{part}"' for part in chunks(full, 88)]
        out[-1] += ";"
        out.append("")
        for field in types[name]:
            cpp, initial = cpp_field(name, field["type"], types)
            out.append(f"  {cpp} {cpp_name(field['name'])}{initial};")
        out += ["", "  template <class Self, class V>",
                "  static void visit_fields(Self& self, V&& v) {"]
        out += [f'    v("{f["name"]}", self.{cpp_name(f["name"])});' for f in types[name]]
        out += ["  }",
                f"  friend bool operator==(const {name}&, const {name}&) = default;", "};",
                f"Hash32 hash_struct(const {name}& message);", ""]
    out.append("/// For code that goes over all of them.")
    out.append("using AllMessages = std::tuple<" + ",\n    ".join(names) + ">;")
    out += ["", "}  // namespace mizan::eip712", ""]
    return "\n".join(out)


def source(types):
    out = ["// Generated from protocol/eip712.json; not edited.",
           '#include "crypto/eip712_messages.hpp"', "",
           '#include "crypto/eip712_encoder.hpp"', "", "namespace mizan::eip712 {", ""]
    out += [f"Hash32 hash_struct(const {name}& message) {{ return encode_and_hash(message); }}"
            for name in in_order(types)]
    out += ["", "}  // namespace mizan::eip712", ""]
    return "\n".join(out)


def check(types):
    for name, fields in types.items():
        if not re.fullmatch(r"[A-Z][A-Za-z0-9]*", name):
            fail(f"{name}: a type's name is in PascalCase")
        seen = [f["name"] for f in fields]
        for field in seen:
            if not re.fullmatch(r"[a-z][A-Za-z0-9]*", field):
                fail(f"{name}.{field}: a field's name is in camelCase")
        if not fields or len(seen) != len(set(seen)):
            fail(f"{name}: no field, or the same one twice")


def write(path, text):
    if not path.exists() or path.read_text() != text:
        path.write_text(text)


def main():
    if len(sys.argv) != 3:
        fail("usage: generate_eip712.py IN.json OUT_DIR")
    types = json.loads(pathlib.Path(sys.argv[1]).read_text())["types"]
    check(types)
    out = pathlib.Path(sys.argv[2])
    out.mkdir(parents=True, exist_ok=True)
    write(out / "eip712_messages.hpp", header(types))
    write(out / "eip712_messages.cpp", source(types))


if __name__ == "__main__":
    main()
