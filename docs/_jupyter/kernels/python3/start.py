"""What every notebook of the site begins with.

Figures are drawings in the colours of the page. Training shows no bar: on a page that is written
when all is over, a bar at its end says nothing.
"""


def _start() -> None:
    from IPython import get_ipython

    from throughtime.training import progress

    progress.in_notebook = lambda: False

    def drawing(figure: object) -> str:
        from throughtime.plotting import LIGHT, to_svg

        return to_svg(figure, LIGHT, "figure", "")  # its words come from the page

    formatter = get_ipython().display_formatter.formatters["image/svg+xml"]
    formatter.for_type_by_name("matplotlib.figure", "Figure", drawing)


_start()
del _start
