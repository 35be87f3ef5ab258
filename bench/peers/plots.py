"""Bars as SVG."""
from xml.sax.saxutils import escape

ROW, LEFT, WIDTH, TOP = 22, 270, 460, 34


def ratio_bars(title, rows):
    """rows: (label, ratio, at least, reach). A bar for the ratio, marks for the two others, a line at 1."""
    most = max(max(ratio, reach) for _, ratio, _, reach in rows) * 1.05
    height = TOP + ROW * len(rows) + 26

    def x(ratio):
        return LEFT + WIDTH * ratio / most

    lines = [f'<svg xmlns="http://www.w3.org/2000/svg" width="{LEFT + WIDTH + 70}" height="{height}" '
             'font-family="sans-serif" font-size="12">', '<rect width="100%" height="100%" fill="white"/>',
             f'<text x="8" y="18" font-size="14">{escape(title)}</text>']
    for i, (label, ratio, least, reach) in enumerate(rows):
        y = TOP + ROW * i
        color = "#2a7f4f" if ratio >= reach else "#7fb08f" if ratio >= least else "#d9a441" if ratio >= 1 else "#c0392b"
        lines += [f'<text x="{LEFT - 8}" y="{y + 14}" text-anchor="end">{escape(label)}</text>',
                  f'<rect x="{LEFT}" y="{y + 3}" width="{x(ratio) - LEFT:.1f}" height="{ROW - 7}" fill="{color}"/>',
                  f'<text x="{x(ratio) + 4:.1f}" y="{y + 14}">{ratio:.2f}</text>']
        lines += [f'<line x1="{x(mark):.1f}" x2="{x(mark):.1f}" y1="{y + 1}" y2="{y + ROW - 2}" stroke="black" '
                  f'stroke-width="{stroke}"/>' for mark, stroke in ((least, 1), (reach, 2.5))]
    lines += [f'<line x1="{x(1):.1f}" x2="{x(1):.1f}" y1="{TOP - 4}" y2="{height - 22}" stroke="#888" '
              'stroke-dasharray="3"/>',
              f'<text x="{LEFT}" y="{height - 8}" fill="#555">best peer / Convoke; dashed: equal, thin mark: at least, '
              'thick: reach</text>', '</svg>']
    return "\n".join(lines) + "\n"
