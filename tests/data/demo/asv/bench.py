class Sums:
    params = ([100, 1000], ["list", "tuple, of", "it's"])
    param_names = ("n", "kind")

    def setup(self, n, kind):
        if n == 1000 and kind == "it's":
            raise NotImplementedError("not for this kind")
        if n == 1000 and kind == "list":
            raise ValueError("broken")
        self.data = list(range(n)) if kind == "list" else tuple(range(n))

    def time_sum(self, n, kind):
        sum(self.data)

    def mem_data(self, n, kind):
        return self.data

    def peakmem_sum(self, n, kind):
        return sum(self.data)


def time_plain():
    sum(range(500))


def time_fails():
    raise RuntimeError("no")


def timeraw_import():
    return "import json"


def track_pages():
    return 42


track_pages.unit = "pages"


def track_ratio():
    return 0.25


def track_wall():
    return 1.5


track_wall.unit = "seconds"

# more
