"""Reading of the Markdown files of the project."""

import re
import shlex
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[1]
PAGES = sorted([*ROOT.glob('*.md'), *(ROOT / 'docs').glob('*.md')])


@dataclass(frozen=True)
class Block:
    """A fenced block and the marker, such as ``<!-- ci: test -->``, in the line before it."""

    language: str
    marker: str
    text: str


def read_blocks(page):
    """List the fenced blocks of a page."""
    pattern = r'(?:^<!-- (?P<marker>[^\n]*) -->\n)?^```(?P<language>\w*)\n(?P<text>.*?)^```$'
    found = re.finditer(pattern, page.read_text(), re.MULTILINE | re.DOTALL)
    return [Block(match['language'], match['marker'] or '', match['text']) for match in found]


def marked_block(page, marker):
    """Return the text of the only block with this marker."""
    (block,) = [block for block in read_blocks(page) if block.marker == marker]
    return block.text


def strip_blocks(text):
    """Remove fenced blocks and inline code, in which brackets are no links."""
    return re.sub(r'`[^`\n]*`', '', re.sub(r'^```.*?^```$', '', text, flags=re.M | re.S))


def links(page):
    """List the targets of links and pictures that lead to files, without anchors."""
    targets = re.findall(r'\]\(([^)\s]+)\)', strip_blocks(page.read_text()))
    return [target for target in targets if not target.startswith(('http://', 'https://'))]


def anchors(page):
    """List the anchors of the headings of a page."""
    titles = re.findall(r'^#+ (.+)$', strip_blocks(page.read_text()), re.MULTILINE)
    return {re.sub(r'[^\w\- ]', '', title.lower()).strip().replace(' ', '-') for title in titles}


def commands(page):
    """List the calls of our programs in blocks and tables, split into words."""
    text = '\n'.join(block.text for block in read_blocks(page) if block.language == 'bash')
    tables = '\n'.join(line for line in page.read_text().splitlines() if line.startswith('| '))
    lines = [*text.splitlines(), *re.findall(r'`([^`]+)`', tables)]
    return [shlex.split(line) for line in lines if is_command(line)]


def is_command(line):
    """Whether a line calls one of our programs, perhaps with variables of the environment."""
    return re.match(r'(\w+=("[^"]*"|\S+) )*(python|bash) tools/', line)


def read_steps(page):
    """List what a reader would run: our programs and unmarked pieces of Python, in their order.

    Left out is what takes minutes and has tests of its own: a block marked ``compiles``.
    """
    steps = []
    for block in read_blocks(page):
        if block.language == 'python' and not block.marker:
            steps.append(block)
        elif block.language == 'bash' and block.marker != 'compiles':
            steps += [
                Block('bash', block.marker, line)
                for line in block.text.splitlines()
                if is_command(line)
            ]
    return steps
