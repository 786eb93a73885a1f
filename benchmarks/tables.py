"""Results as text."""

import statistics

_UNITS = {
    "seconds": ((1, "s"), (1e-3, "ms"), (1e-6, "µs")),
    "bytes": ((1 << 30, "GiB"), (1 << 20, "MiB"), (1 << 10, "KiB"), (1, "B")),
}


def text(results):
    """Return all tables; a line says when and with what they were measured, where that changes."""
    lines, before = [], ""
    for table in results["tables"]:
        versions = ", ".join(f"{name} {version}" for name, version in table["versions"].items())
        measured = f"{table['date']}; {table['machine']}; {versions}"
        lines += [] if measured == before else [measured, ""]
        lines += [heading(table), *_lines(table), ""]
        before = measured
    return "\n".join(lines)


def summary(results, least=5):
    """Return for each peer how its times compare, in tables of many rows with tinynet's time."""
    lines = []
    for table in results["tables"]:
        of_times = (table["unit"], table["base"]) == ("seconds", "tinynet")
        if of_times and len(table["rows"]) >= least:
            lines += [f"{heading(table)}: time divided by tinynet's", *_summary(table), ""]
    return "\n".join(lines)


def heading(table):
    """Return a table's title with its number of threads."""
    threads = "one thread" if table["threads"] == "one" else f"{table['threads']} threads"
    return f"{table['title']} ({threads})"


def ratios(table):
    """Return the ratios to the base, by row and by column; the base itself is left out."""
    return {
        row["name"]: {
            name: value / row["values"][table["base"]]
            for name, value in row["values"].items()
            if name != table["base"]
        }
        for row in table["rows"]
        if row["values"].get(table["base"])
    }


def amount(value, unit):
    """Return a number with its unit."""
    size, name = next((pair for pair in _UNITS[unit] if abs(value) >= pair[0]), _UNITS[unit][-1])
    return f"{value / size:.{4 if abs(value) >= 1000 * size else 3}g} {name}"


def _summary(table):
    found = ratios(table)
    lines = [["", "least", "median", "most", "longer in"]]
    for name in dict.fromkeys(name for row in found.values() for name in row):
        held = [row[name] for row in found.values() if name in row]
        numbers = (f"{value:.2f}" for value in (min(held), statistics.median(held), max(held)))
        lines.append([name, *numbers, f"{sum(ratio > 1 for ratio in held)} of {len(held)} rows"])
    return _aligned(lines)


def _lines(table):
    """Return a table's lines: each value in its unit, and its ratio to the base in brackets."""
    columns = list(dict.fromkeys(name for row in table["rows"] for name in row["values"]))
    lines = [["", *columns]]
    for row in table["rows"]:
        ours = row["values"].get(table["base"])
        cells = (_cell(row["values"].get(name), ours, table["unit"]) for name in columns)
        lines.append([row["name"], *cells])
    return _aligned(lines)


def _aligned(lines):
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    return [
        "  ".join([line[0].ljust(widths[0]), *map(str.rjust, line[1:], widths[1:])]).rstrip()
        for line in lines
    ]


def _cell(value, ours, unit):
    if value is None:
        return "-"
    return f"{amount(value, unit)} ({value / ours:.2f})" if ours else amount(value, unit)
