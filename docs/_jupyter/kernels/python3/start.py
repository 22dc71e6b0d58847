"""What every notebook of the site begins with: figures are drawings in the colours of the page."""


def _start() -> None:
    from IPython import get_ipython

    def drawing(figure: object) -> str:
        from throughtime.plotting import LIGHT, to_svg

        return to_svg(figure, LIGHT, "figure", "")  # its words come from the page

    formatter = get_ipython().display_formatter.formatters["image/svg+xml"]
    formatter.for_type_by_name("matplotlib.figure", "Figure", drawing)


_start()
del _start
