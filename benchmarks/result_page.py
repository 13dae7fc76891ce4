"""Recorded results as Markdown: the targets first, then every race."""

from collections.abc import Mapping
from typing import Any

from benchmarks.rows import THIS
from benchmarks.targets import Results, Target, standings

WORDS = {
    "peak_memory": "peak memory",
    "load": "net and weights loaded",
    "load_alone": "net and weights loaded, torch's import not counted",
    "import": "`import caffe`",
    "ready": "both together",
}


def markdown(record: Mapping[str, Any]) -> str:
    """record: what run.py writes as JSON."""
    machine, rows = record["machine"], record["rows"]
    parts = [
        f"# {machine.get('gpu') or machine['cpu']}",
        "Written by `python -m benchmarks.run"
        + (" --device cuda`" if record["device"] == "cuda" else "`")
        + ": do not edit. Voc-fcn8s, one 500×500 image unless a title says otherwise.",
        "Machine: " + ", ".join(f"{name.replace('_', ' ')} {value}" for name, value in machine.items()) + ".",
        *([f"While it was measured, {record['note']}."] if "note" in record else []),
        targets_table(rows, record["device"]),
        *(section(name, row) for name, row in rows.items()),
    ]
    return "\n\n".join(parts) + "\n"


def targets_table(rows: Mapping[str, Any], device: str) -> str:
    """Asked and reached."""
    lines = ["| | peer | peer's | ours | ratio | asked, at most | |", "|---|---|---|---|---|---|---|"]
    for each in standings(rows, device):
        theirs, ours = (text(value, each.target.quantity) for value in (each.theirs, each.ours))
        lines.append(
            f"| {title(each.target, rows)} | {each.peer} | {theirs} | {ours} | **{each.ratio:.2f}** "
            f"| {each.target.factor:g} | {'reached' if each.reached else 'not reached'} |"
        )
    return "\n".join(lines)


def title(target: Target, rows: Mapping[str, Any]) -> str:
    if target.quantity == "median":
        return rows[target.row]["title"]
    return f"{rows[target.row]['title']}: {WORDS[target.quantity]}"


def section(name: str, row: Mapping[str, Any]) -> str:
    """One race: its table, and where it comes from."""
    versions = ", ".join(f"{package} {version}" for package, version in row["versions"].items())
    source = f"`--only {name}`, {row['date']}, {row['threads']} threads, commit {row['commit']}; {versions}."
    return f"## {row['title']}\n\n{source}\n\n{table(row['results'])}"


def table(results: Results) -> str:
    """A race's medians, spread and memory, the ratio of this project's median to each; or what else was found."""
    if not any("seconds" in result for result in results.values()):
        lines = ["| | |", "|---|---|"]
        for label, result in results.items():
            lines.append(f"| {label} | {', '.join(f'{key} {text(value, key)}' for key, value in result.items())} |")
        return "\n".join(lines)
    ours = results.get(THIS.label, {}).get("median")
    lines = [
        "| | median | min … max | runs | this ÷ it | peak memory | difference |",
        "|---|---|---|---|---|---|---|",
    ]
    for label, result in results.items():
        if "failed" in result:
            lines.append(f"| {label} | {result['failed']} | | | | | |")
            continue
        seconds = result.get("seconds", [])
        cells = [
            label,
            text(result["median"]),
            f"{text(min(seconds))} … {text(max(seconds))}" if seconds else "",
            str(len(seconds) or ""),
            f"{ours / result['median']:.2f}" if ours else "",
            memory_text(result),
            f"{result['difference']:.1e}" if "difference" in result else "",
        ]
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)


def memory_text(result: Mapping[str, Any]) -> str:
    """The peak of a process, and what its imports are of it; on a GPU, of that."""
    if result.get("device_memory"):
        return text(result["device_memory"], "peak_memory") + " on the GPU"
    if "peak_memory" not in result:
        return ""
    return f"{text(result['peak_memory'], 'peak_memory')} (imports {result['imports_memory'] / 1e9:.2f})"


UNITS = {
    "peak_memory": (1e9, "GB"),
    "memory": (1e9, "GB"),
    "resident": (1e6, "MB"),
    "growth": (1e6, "MB"),
    "bytes_per_second": (1e9, "GB/s"),
    "operations_per_second": (1e9, "GFLOP/s"),
    "operations": (1e9, "GFLOP"),
    "rate": (1, "images/s"),
}
"""Of what is not seconds."""


def text(value: Any, quantity: str = "median") -> str:
    """A value with its unit."""
    if isinstance(value, str):
        return value
    if quantity in UNITS:
        scale, unit = UNITS[quantity]
        return f"{value / scale:.3g} {unit}"
    return f"{value:.2f} s" if value >= 1 else f"{1000 * value:.3g} ms"
