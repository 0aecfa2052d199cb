"""Hostile tables, names and folders for the stage `index`: made by code, one change per case.

Every case changes one thing in a data.root with three good recordings and two good soundscapes,
and states what must become of the change. Everything else must be indexed as if nothing had been
changed.
"""

import csv
import io
import os
import socket
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Literal, NamedTuple

from birdclef.common.names import NOT_DECODED
from birdclef.common.tables import JOINED_ROWS, LONG_ROW, SHORT_ROW
from index_data import competition_row, touch_audio

AUDIO, LABELED, UNLABELED = "train_audio", "train_soundscapes", "unlabeled_soundscapes"
TABLE, LABELS = "train_metadata.csv", "train_soundscape_labels.csv"
NEW_ROW = 5  # row of the added recording or window: the header is row 1, three good rows follow
ODD_FILE, ODD_LABEL, BAD_LIST = "odd file name", "odd label", "bad secondary labels"
MISSING, LINK_OUT, EMPTY = "missing on disk", "link leaves the data folder", "empty file"
NO_WINDOW, NO_END = "no labelled window", "seconds is not the end of a 5 s window"
ODD_BIRDS, GONE = "birds are no codes separated by blanks", "soundscape missing on disk"

GOOD_ROWS = [competition_row("aaa", 1), competition_row("aaa", 2), competition_row("bbb", 3)]
GOOD_WINDOWS = [
    {"row_id": f"s1_X_{end}", "site": "X", "audio_id": "s1", "seconds": end, "birds": birds}
    for end, birds in ((5, "aaa"), (10, "nocall"), (15, "aaa bbb"))
]

Change = Callable[[Path], object]  # changes the folder of the competition


class Case(NamedTuple):
    """One change, and what must become of it."""

    family: str
    name: str
    change: Change
    refused: str = ""  # if set, the stage must end with an error that this expression matches
    aside: tuple[tuple[object, str], ...] = ()  # (row or id, reason) of what must be set aside
    added: tuple[str, ...] = ()  # ids of recordings and soundscapes that must be indexed too
    lost: tuple[str, ...] = ()  # ids of good ones that the change must take away
    windows: int = 3  # number of labelled windows that must be indexed
    said: str = ""  # text that must be on the screen

    @property
    def outcome(self) -> str:
        return "refused" if self.refused else "set aside" if self.aside else "handled"


def as_csv(rows: list[dict[str, Any]], quoting: Literal[0, 1] = csv.QUOTE_MINIMAL) -> str:
    text = io.StringIO()
    writer = csv.DictWriter(text, list(rows[0]), lineterminator="\n", quoting=quoting)
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()


def make_root(root: Path) -> Path:
    """Make the good data; return the folder of the competition."""
    folder = root / "birdclef-2024"
    for row in GOOD_ROWS:
        touch_audio(folder / AUDIO / row["filename"])
    touch_audio(folder / LABELED / "s1.ogg")
    touch_audio(folder / UNLABELED / "u1.ogg")
    (folder / TABLE).write_text(as_csv(GOOD_ROWS), encoding="utf-8")
    (folder / LABELS).write_text(as_csv(GOOD_WINDOWS), encoding="utf-8")
    touch_audio(root.parent / "outside.ogg")
    (root.parent / "outside.csv").write_text(as_csv(GOOD_ROWS), encoding="utf-8")
    (root.parent / "corrections.csv").write_text("recording_id,from_label,to_label,reason\n")
    return folder


def _add_row(cell: str, value: object, file: str = "aaa/XC9.ogg") -> Change:
    """Add the recording XC9, with one cell of its row changed, and its file."""

    def change(folder: Path) -> None:
        row = competition_row("aaa", 9) | {"filename": file} | {cell: value}
        text = as_csv([*GOOD_ROWS, row], csv.QUOTE_ALL)
        (folder / TABLE).write_bytes(text.encode())  # bytes, because a cell may have line ends
        touch_audio(folder / AUDIO / file)

    return change


def _add_window(**cells: object) -> Change:
    def change(folder: Path) -> None:
        window = GOOD_WINDOWS[0] | {"seconds": 20} | cells
        (folder / LABELS).write_text(as_csv([*GOOD_WINDOWS, window]), encoding="utf-8")

    return change


def _write(name: str, data: bytes | str) -> Change:
    encoded = data.encode() if isinstance(data, str) else data
    return lambda folder: (folder / name).write_bytes(encoded)


def _file(folder_name: str, name: bytes | str, data: bytes = b"audio") -> Change:
    return lambda folder: (folder / folder_name / os.fsdecode(name)).write_bytes(data)


def _instead(name: str, make: Callable[[Path], object]) -> Change:
    """Replace a file or folder of the competition."""

    def change(folder: Path) -> None:
        path = folder / name
        if path.exists():
            path.rename(folder.parent.parent / f"was-{path.name}")
        make(path)

    return change


def _loop(path: Path) -> None:
    path.symlink_to(path)


def _broken(path: Path) -> None:
    path.symlink_to(path.parent / "nothing")


def _socket(path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as server:
        here = Path.cwd()
        os.chdir(path.parent)  # the path of a socket has at most 108 bytes
        server.bind(path.name)
        os.chdir(here)


def _link(target: str) -> Callable[[Path], object]:
    """A link to a path relative to the folder that contains data.root."""

    def make(path: Path) -> None:
        root = next(parent for parent in path.parents if parent.name == "raw")
        path.symlink_to(root.parent / target)

    return make


def _device(path: Path) -> None:
    path.symlink_to("/dev/zero")


# --- cells of a recording's row


def _recording_cells() -> Iterator[Case]:
    labels = ["../aaa", "a/b", "a b", "", "..", "a.b", "é", "=1+1", "a" * 201, "a" * 245]
    labels += [
        "$(touch x)",
        "a;touch x",
        "\x1b[31maaa",
        "\u202eaaa",
        "\uff41\uff41",
    ]
    labels += ["aaa\u200b", "'aaa'", "a\nb", "a\tb", "\U0001f426", "['aaa']", "aaa,bbb"]
    for label in labels:
        yield Case("labels", label, _add_row("primary_label", label), aside=((NEW_ROW, ODD_LABEL),))
    for label in ("NA", "null", "nan", "None", "007", "1e5", "True", "-rf", "_", "a" * 200):
        yield Case("labels", label, _add_row("primary_label", label), added=("XC9",))
    files = ["/etc/XC9.ogg", "../aaa/XC9.ogg", "aaa/../../XC9.ogg", "aaa/b/XC9.ogg", "aaa\\XC9.ogg"]
    files += [
        "..",
        "aaa/",
        "",
        "aaa/XC 9.ogg",
        "aaa/XC9.ogg.exe",
        "aaa/XC9",
        "aaa/.ogg",
        "a/XC9xogg",
    ]
    files += ["http://x/XC9.ogg", "aaa/*.ogg", "~/XC9.ogg/"]
    files += [
        "aaa/\x1b[2J.ogg",
        "aaa/é.ogg",
        f"aaa/{'x' * 245}.ogg",
        "aaa/X\n9.ogg",
    ]
    files += ["aaa//XC9.ogg"]
    for file in files:
        yield Case("file names", file, _add_row("filename", file), aside=((NEW_ROW, ODD_FILE),))
    for file in ("aaa/XC8.ogg", "bbb/XC9.ogg", "aaa/XC9.OGG", "aaa/xc9.ogg", "aaa/gone.m4a"):
        yield Case("file names", file, _add_row("filename", file), aside=((NEW_ROW, MISSING),))
    for file in ("aaa/XC9.WAV", "aaa/XC9.Flac", "aaa/-9.ogg", "XC9.ogg", " aaa/XC9.ogg "):
        added = (Path(file.strip()).stem,)
        plain = file.strip() if "/" in file else f"aaa/{file}"
        yield Case("file names", file, _add_row("filename", file, plain), added=added)
    for suffix in ("m4a", "AAC", "mp4", "wma", "amr", "3gp", "webm"):
        file = f"aaa/phone.{suffix}"
        change = _add_row("filename", file, file)
        yield Case("formats", file, change, aside=((NEW_ROW, NOT_DECODED),))


def _free_cells() -> Iterator[Case]:
    lists = ["exit()", "__import__('os').remove('x')", "[__import__('os').getcwd()]"]
    lists += ["'aaa'", "[1]", "[['a']]", "['a'", "houspa", "nan", "bbb,ccc"]
    lists += [
        "[" * 5000,
        "-" * 9000 + "1",
        "['\0']",
        "[f'{1}']",
        "['a'] + ['b']",
        str(["a"] * 3000),
    ]
    for cell in lists:
        change = _add_row("secondary_labels", cell)
        yield Case("lists", cell[:30], change, aside=((NEW_ROW, BAD_LIST),))
    for cell in ("", "[]", "['bbb', 'bbb']", '["bbb"]', "['']", "['zzz']", "['../x']", "['aaa']"):
        yield Case("lists", cell, _add_row("secondary_labels", cell), added=("XC9",))
    numbers = [
        "1e999",
        "nan",
        "-inf",
        "Not specified",
        "0x10",
        "1,5",
        "9" * 400,
        "١٢",
        "--",
        "=1+1",
    ]
    for cell in numbers:
        yield Case("numbers", cell[:30], _add_row("latitude", cell), added=("XC9",))
    texts = ["=HYPERLINK(1)", "\x1b]0;x\x07", "two\nlines", "three\r\nmore\r\nlines", 'a "quote"']
    texts += [
        "x" * 100_000,
        "\u2028\u2029",
        "\U0001f426\u202e",
        "@SUM(1)",
        "', '); DROP",
        "lone\rend",
        "a\0b",
    ]
    for cell in texts:
        yield Case("texts", repr(cell[:20]), _add_row("author", cell), added=("XC9",))


# --- the text of the table


def _broken_text() -> Iterator[Case]:
    good = as_csv(GOOD_ROWS)
    header, *rows = good.splitlines()
    names = header.split(",")
    for name in ("primary_label", "secondary_labels", "filename", "author", "rating", "type", "x"):
        text = "\n".join([f"{header},x,{name}", *(f"{row},," for row in rows)])
        match = rf"{TABLE} has several columns named {name}"
        yield Case("headers", f"{name} twice", _write(TABLE, text), match)
    for name in ("primary_label", "secondary_labels", "filename", "author"):
        renamed = "\n".join([header.replace(name, f"my_{name}"), *rows])
        yield Case("headers", f"no {name}", _write(TABLE, renamed), f"lacks the columns {name};")
    for what, text in {
        "capitals": header.upper(),
        "semicolons": header.replace(",", ";"),
        "tabs": header.replace(",", "\t"),
        "no header": rows[0],
        "JSON": '{"a": 1}',
        "HTML": "<html>404</html>",
    }.items():
        whole = "\n".join([text, *rows]) if what == "capitals" else text + "\n"
        yield Case("headers", what, _write(TABLE, whole), f"{TABLE} lacks the columns")
    for what, data in {
        "empty": b"",
        "BOM alone": b"\xef\xbb\xbf",
        "UTF-16": good.encode("utf-16"),
        "latin-1": good.replace("Genus", "G\xe9nus").encode("latin-1"),
        "gzip": b"\x1f\x8b\x08\x00" + bytes(range(256)),
        "parquet": b"PAR1\xff\xfe" + bytes(100),
    }.items():
        yield Case("encodings", what, _write(TABLE, data), rf"{TABLE} (is not a|lacks the)")
    yield Case("encodings", "header alone", _write(TABLE, header), f"{TABLE} has no usable")
    for what, data in {
        "BOM": b"\xef\xbb\xbf" + good.encode(),
        "CRLF": good.replace("\n", "\r\n").encode(),
        "CR": good.replace("\n", "\r").encode(),
        "no last line end": good.rstrip().encode(),
        "blank lines": good.replace("\n", "\n\n").encode(),
        "lines of commas": (good + "," * (len(names) - 1) + "\n").encode(),
        "quoted header": good.replace(header, ",".join(f'"{n}"' for n in names)).encode(),
        "unnamed columns": "\n".join(line + ",," for line in good.splitlines()).encode(),
        "a row twice": (good + rows[0] + "\n").encode(),
        "4,000 columns": "\n".join(line + "," * 4000 for line in good.splitlines()).encode(),
    }.items():
        yield Case("encodings", what, _write(TABLE, data))


MORE_ROWS = [competition_row("aaa", n) for n in (7, 8, 9)]  # rows 5, 6 and 7


def _with_odd_quotes(opens: tuple[int, str], closes: tuple[int, str]) -> Change:
    """Put one quote before the cell `opens` and one after the cell `closes`: (row, column)."""
    lines = as_csv([*GOOD_ROWS, *MORE_ROWS]).splitlines()
    names = lines[0].split(",")
    table = [line.split(",") for line in lines]
    table[opens[0] - 1][names.index(opens[1])] = '"opens'
    table[closes[0] - 1][names.index(closes[1])] = 'closes"'
    text = "\n".join(",".join(cells) for cells in table)
    return _with_files(_write(TABLE, text), *(row["filename"] for row in MORE_ROWS))


def _odd_quotes() -> Iterator[Case]:
    """Two odd quotes swallow what is between them; the rows before and after are sound."""
    said = f"no row of {TABLE} names these files"
    for first, last, others in ((5, 6, ("XC9",)), (5, 7, ()), (6, 7, ("XC7",))):
        for column in ("scientific_name", "author", "type"):
            change, name = (
                _with_odd_quotes((first, column), (last, column)),
                f"{column} {first}-{last}",
            )
            aside = ((first, JOINED_ROWS),)
            yield Case("odd quotes", name, change, aside=aside, added=others, said=said)
    columns = ("scientific_name", "author", JOINED_ROWS), ("type", "license", JOINED_ROWS)
    for opens, closes, fault in (*columns, ("author", "type", LONG_ROW)):
        change, name = _with_odd_quotes((5, opens), (6, closes)), f"{opens} to {closes}"
        yield Case("odd quotes", name, change, aside=((5, fault),), added=("XC9",), said=said)


def _odd_lengths() -> Iterator[Case]:
    cells = as_csv(MORE_ROWS).splitlines()[1].split(",")
    rows = {f"{n} cells": (cells[:n], SHORT_ROW) for n in (1, 2, 5, len(cells) - 1)}
    rows["more cells"] = [*cells, "more"], LONG_ROW
    rows["open quote"] = ['"aaa', "[]"], SHORT_ROW
    for name, (row, fault) in rows.items():
        change = _write(TABLE, as_csv(GOOD_ROWS) + ",".join(row) + "\n")
        yield Case("odd lengths", name, change, aside=((5, fault),))


def _with_files(change: Change, *files: str) -> Change:
    def both(folder: Path) -> None:
        change(folder)
        for file in files:
            touch_audio(folder / AUDIO / file)

    return both


# --- tables, files and folders that are something else


def _other_kinds() -> Iterator[Case]:
    kinds: dict[str, Callable[[Path], object]] = {
        "FIFO": os.mkfifo,
        "socket": _socket,
        "folder": Path.mkdir,
        "loop": _loop,
        "broken link": _broken,
        "link out": _link("outside.csv"),
        "device": _device,
        "missing": lambda _: None,
    }
    for kind, make in kinds.items():
        yield Case("table is no file", kind, _instead(TABLE, make), TABLE)
        if kind != "missing":
            yield Case("table is no file", f"labels {kind}", _instead(LABELS, make), LABELS)
        change = _instead("../../corrections.csv", make)
        if kind != "link out":  # corrections may lie outside data.root
            yield Case("table is no file", f"corrections {kind}", change, r"corrections\.csv")
    inside = "raw/birdclef-2024/other.csv"
    for name, text in ((TABLE, as_csv(GOOD_ROWS)), (LABELS, as_csv(GOOD_WINDOWS))):
        yield Case("table is no file", f"{name} link in", _linked_table(name, inside, text))
    kinds |= {"link out": _link("outside.ogg"), "empty": Path.touch}
    reasons = {"link out": LINK_OUT, "device": MISSING, "empty": EMPTY}
    for kind, make in kinds.items():
        reason = reasons.get(kind, MISSING)
        change = _instead(f"{AUDIO}/aaa/XC2.ogg", make)
        aside: tuple[tuple[object, str], ...] = ((3, reason),)
        yield Case("file is no file", kind, change, aside=aside, lost=("XC2",))
        if kind != "missing":
            change, aside = _instead(f"{UNLABELED}/u2.ogg", make), (("u2", reason),)
            yield Case("file is no file", f"unlabeled {kind}", change, aside=aside)
            change = _instead(f"{LABELED}/s2.ogg", make)
            yield Case("file is no file", f"labeled {kind}", change, aside=(("s2", reason),))
    for name in (LABELED, UNLABELED, AUDIO):
        others = {kind: kinds[kind] for kind in ("FIFO", "loop", "broken link")}
        for kind, make in {**others, "link out": _linked_folder, "file": Path.touch}.items():
            yield Case("folder is no folder", f"{name} {kind}", _instead(name, make), name)
    for kind in ("FIFO", "loop", "broken link"):
        change = _instead(f"{AUDIO}/bbb", kinds[kind])
        yield Case(
            "folder is no folder", f"bbb {kind}", change, aside=((4, MISSING),), lost=("XC3",)
        )
    change = _instead(f"{AUDIO}/bbb", _linked_label)
    yield Case("folder is no folder", "bbb link out", change, aside=((4, LINK_OUT),), lost=("XC3",))


def _linked_table(name: str, target: str, text: str) -> Change:
    def change(folder: Path) -> None:
        (folder / "other.csv").write_text(text)
        (folder / name).unlink()
        _link(target)(folder / name)

    return change


def _linked_folder(path: Path) -> None:
    (path.parent.parent.parent / "elsewhere").mkdir()
    path.symlink_to(path.parent.parent.parent / "elsewhere")


def _linked_label(path: Path) -> None:
    outside = path.parents[3] / "elsewhere"
    touch_audio(outside / "XC3.ogg")
    path.symlink_to(outside)


# --- soundscapes


def _windows() -> Iterator[Case]:
    ends = ["7.3", "1e308", "-5", "0", "4.999", "nan", "inf", "", "five", "20s", "0x14", "604805"]
    for end in [*ends, "20.0000001", "\u0662\u0660s", "[20]"]:
        yield Case("windows", f"ends {end}", _add_window(seconds=end), aside=((NEW_ROW, NO_END),))
    for end in ("20", "20.0", "2e1", " 20 ", "604800"):
        yield Case("windows", f"ends {end}", _add_window(seconds=end), windows=4)
    again = "window listed twice"
    for end in ("5", "5.0", "1e1"):
        yield Case("windows", f"again {end}", _add_window(seconds=end), aside=((NEW_ROW, again),))
    birds = [
        "aaa,bbb",
        "['aaa']",
        "aaa?",
        "aaa/bbb",
        "=aaa",
        "\x1baaa",
        "a.b",
    ]
    birds += ["a" * 201, '"aaa"', "aaa bbb, ccc", "{}", "é", "aaa\u200b", "`x`", "$HOME"]
    for cell in birds:
        change = _add_window(birds=cell)
        yield Case("birds", cell[:30], change, aside=((NEW_ROW, ODD_BIRDS),))
    for cell in (
        "",
        "nocall",
        "aaa",
        "aaa  bbb",
        " aaa ",
        "nocall aaa",
        "AAA",
        "zzz",
        "aaa\tbbb",
        "NA",
    ):
        yield Case("birds", repr(cell), _add_window(birds=cell), windows=4)
    for name in ("../s1", "", "gone", "s1.ogg", "S1", "\x1b[2J", "a" * 300, "s1/", "=s1", "u1"):
        yield Case(
            "windows", f"of {name[:9]}", _add_window(audio_id=name), aside=((NEW_ROW, GONE),)
        )
    good = as_csv(GOOD_WINDOWS)
    header, *rows = good.splitlines()
    for name in ("audio_id", "seconds", "birds", "site"):
        text = "\n".join([f"{header},{name}", *(f"{row}," for row in rows)])
        match = f"{LABELS} has several columns named {name}"
        yield Case("windows", f"{name} twice", _write(LABELS, text), match)
        text, match = header.replace(name, "other"), f"{LABELS} lacks the columns {name}"
        if name != "site":
            yield Case("windows", f"no {name}", _write(LABELS, text), match)
    quoted = good + 's1_X_20,X,"s1,20,aaa\ns1_X_25,X,s1",25,bbb\n'
    yield Case("windows", "odd quotes", _write(LABELS, quoted), aside=((NEW_ROW, JOINED_ROWS),))
    short = good + "s1_X_20,X,s1,20\n"
    yield Case("windows", "short row", _write(LABELS, short), aside=((NEW_ROW, SHORT_ROW),))


def _soundscape_names() -> Iterator[Case]:
    odd: list[str | bytes] = [b"\xff\xfe.ogg", b"caf\xe9.ogg", b"\x80.WAV", "é.ogg", "a b.ogg"]
    odd += ["=1+1.ogg", "a,b.ogg", 'a"b.ogg', "a\nb.ogg", "a\rb.ogg", "a\tb.ogg", "\x1b[2J.ogg"]
    odd += [
        "a\\b.ogg",
        "a.b.ogg",
        "\U0001f426.ogg",
        "\u202egpj.ogg",
        "$(x).ogg",
        "a;b.ogg",
        "*.ogg",
    ]
    odd += [
        "x" * 201 + ".ogg",
        "x" * 245 + ".ogg",
        "x" * 251 + ".ogg",
        "'.ogg",
        "u2.ogg.ogg",
        "%.ogg",
    ]
    for name in odd:
        shown = name if isinstance(name, str) else os.fsdecode(name)
        stem = Path(_escaped(shown)).stem
        for kind in (UNLABELED, LABELED) if name in odd[:4] else (UNLABELED,):
            case = f"{kind[:2]} {_escaped(shown)[:30]} {len(shown)}"
            yield Case("sound names", case, _file(kind, name), aside=((stem, ODD_FILE),))
    for name in ("U2.WAV", "u2.Flac", "u2.OGG", "-u2.ogg", "NA.ogg", "007.ogg", "x" * 200 + ".ogg"):
        yield Case("sound names", name[:30], _file(UNLABELED, name), added=(Path(name).stem,))
    for name in (".u2.ogg", "notes.txt", "u2", "ogg", "u2.ogg.part", "._u1.ogg"):
        yield Case("sound names", f"ignored {name}", _file(UNLABELED, name))
    for suffix in ("m4a", "AAC", "mp4", "WMA", "amr", "3gp", "webm", "wv"):
        change = _file(UNLABELED, f"phone.{suffix}")
        yield Case("formats", f"phone.{suffix}", change, aside=(("phone", NOT_DECODED),))
    twice = "same id as another soundscape"
    for name in ("u1.WAV", "u1.flac", "s1.ogg"):
        stem = Path(name).stem
        yield Case("sound names", f"again {name}", _file(UNLABELED, name), aside=((stem, twice),))
    yield Case("sound names", "no window", _file(LABELED, "s2.WAV"), aside=(("s2", NO_WINDOW),))
    both = _both(_file(LABELED, "s2.WAV"), _add_window(audio_id="s2", seconds=5))
    yield Case("sound names", "labelled .WAV", both, added=("s2",), windows=4)


def _escaped(name: str) -> str:
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in name)


def _both(*changes: Change) -> Change:
    return lambda folder: [change(folder) for change in changes]


# --- what lies where no table looks, and corrections


def _left_out() -> Iterator[Case]:
    for name in ("zzz", "zzz zzz", "é", "=1+1", "-rf", "x" * 255):
        change = _with_files(lambda _: None, f"{name}/XC9.ogg", f"{name}/XC8.WAV")
        said = f"any file of these folders of {AUDIO}: {name} (2 files)"
        yield Case("left out", f"folder {name[:20]}", change, said=said)
    for name in ("aaa/XC9.ogg", "bbb/XC9.M4A", "aaa/x y.flac"):
        said = f"names these files of {AUDIO}: {name}"
        yield Case("left out", name, _with_files(lambda _: None, name), said=said)
    beside = _with_files(lambda _: None, "XC9.ogg")
    yield Case("left out", "no label", beside, said=f"no folder of a label: {AUDIO}/XC9.ogg")
    deep = _with_files(lambda _: None, "aaa/more/XC9.ogg")
    yield Case("left out", "too deep", deep, said="aaa/more")
    for kind in (UNLABELED, LABELED):
        change = _with_files(lambda _: None, f"../{kind}/site/u2.WAV")
        yield Case("left out", f"{kind}/site", change, said=f"must be in {kind} itself: site")
    odd = _with_files(lambda _: None, os.fsdecode(b"\xff/XC9.ogg"))
    yield Case("left out", "not UTF-8", odd, said=r"\udcff (1 files)")


def _corrections() -> Iterator[Case]:
    header = "recording_id,from_label,to_label,reason\n"
    path = "../../corrections.csv"
    for what, text, match in (
        ("twice", "XC1,aaa,bbb,x\nXC1,aaa,bbb,y\n", "row 3: XC1 is corrected twice"),
        ("short", "XC1,aaa,bbb\n", f"row 2: {SHORT_ROW}"),
        ("long", "XC1,aaa,bbb,x,y\n", f"row 2: {LONG_ROW}"),
        ("odd quote", '"XC1,aaa,bbb,x\nXC2",aaa,bbb,x\n', f"row 2: {JOINED_ROWS}"),
        ("open quote", '"XC1,aaa,bbb,x\n', f"row 2: {JOINED_ROWS}"),
    ):
        yield Case("corrections", what, _write(path, header + text), rf"corrections\.csv {match}")
    for name in ("recording_id", "from_label", "to_label", "reason"):
        twice = header.replace(name, f"{name},{name}") + "XC1,aaa,bbb,x,y\n"
        match = rf"corrections\.csv has several columns named {name}"
        yield Case("corrections", f"{name} twice", _write(path, twice), match)
        other = header.replace(name, "other") + "XC1,aaa,bbb,x\n"
        match = rf"corrections\.csv lacks the columns {name}"
        yield Case("corrections", f"no {name}", _write(path, other), match)
    for label in ("../x", "zzz", "=1+1", "\x1b[2J", "bbb ccc"):
        change = _write(path, header + f"XC1,aaa,{label},x\n")
        yield Case("corrections", f"to {label}", change, said="not corrected")


def cases() -> list[Case]:
    """All cases, in the order of their families."""
    families = (
        *(
            _recording_cells(),
            _free_cells(),
            _broken_text(),
            _odd_quotes(),
            _odd_lengths(),
            _other_kinds(),
        ),
        *(_windows(), _soundscape_names(), _left_out(), _corrections()),
    )
    return [case for family in families for case in family]
