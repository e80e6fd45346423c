#!/usr/bin/env python3
"""Writes a file's text as a C++ function: embed_text.py INPUT OUTPUT.cpp NAMESPACE FUNCTION"""
import pathlib
import sys

source, target, namespace, function = sys.argv[1:]
data = pathlib.Path(source).read_bytes()
rows = [", ".join(str(b) for b in data[i:i + 24]) for i in range(0, len(data), 24)]
body = ",\n    ".join(rows)
pathlib.Path(target).parent.mkdir(parents=True, exist_ok=True)
pathlib.Path(target).write_text(f"""// {pathlib.Path(source).name}, embedded by scripts/embed_text.py; not edited.
#include <string_view>

namespace {namespace} {{
namespace {{
constexpr unsigned char kBytes[] = {{
    {body}}};
}}  // namespace

std::string_view {function}();
std::string_view {function}() {{
  return {{reinterpret_cast<const char*>(kBytes), sizeof kBytes}};
}}

}}  // namespace {namespace}
""")
