"""A site that sdexplore does not have: the one file that a new site needs."""

from sdexplore.publish.sites.site import Site


class Toy(Site):
    """Has a head, addresses and a folder for HTML of its own, and refuses long slugs."""

    name = "toy"
    pictures = "assets/{}"
    page = "pages/{}.toy"
    html = "public/{}"
    most_bytes = 20_000

    def head(self, facts):
        return f"TITLE {facts['title']}"

    def address_of(self, file, slug, facts):
        return f"{facts['address'] or 'toy:'}/{slug}/{file}"

    def picture(self, shot, address):
        return f"PICTURE {address} SAYS {shot.alt}"

    def page_link(self, key, slug, facts):  # noqa: ARG002
        return f"toy:/{slug}/{key}"

    def problems(self, slug, facts):  # noqa: ARG002
        return [f"slug {slug!r}: shorten it"] if len(slug) > 20 else []

    def notices(self, facts):  # noqa: ARG002
        return ["say who drew it"]
