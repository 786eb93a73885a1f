"""Results as text."""

_UNITS = {
    "seconds": ((1, "s"), (1e-3, "ms"), (1e-6, "µs")),
    "bytes": ((1 << 20, "MiB"), (1 << 10, "KiB"), (1, "B")),
}


def text(results):
    """Return all tables of the results."""
    versions = ", ".join(f"{name} {version}" for name, version in results["versions"].items())
    lines = [f"{results['date']}; {results['machine']}; {versions}"]
    for table in results["tables"]:
        lines += ["", f"{table['title']} ({table['threads']} threads)", *_lines(table)]
    return "\n".join(lines) + "\n"


def _lines(table):
    """Return a table's lines: each value in its unit, and its ratio to tinynet's in brackets."""
    columns = list(dict.fromkeys(name for row in table["rows"] for name in row["values"]))
    lines = [["", *columns]]
    for row in table["rows"]:
        ours = row["values"].get(table["base"])
        lines.append(
            [
                row["name"],
                *(_cell(row["values"].get(name), ours, table["unit"]) for name in columns),
            ]
        )
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    return [
        "  ".join([line[0].ljust(widths[0]), *map(str.rjust, line[1:], widths[1:])]).rstrip()
        for line in lines
    ]


def _cell(value, ours, unit):
    if value is None:
        return "-"
    size, name = next((pair for pair in _UNITS[unit] if abs(value) >= pair[0]), _UNITS[unit][-1])
    ratio = f" ({value / ours:.2f})" if ours else ""
    return f"{value / size:.3g} {name}{ratio}"
