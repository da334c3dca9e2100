"""Figures and pictures."""

NOTEBOOKS = {
    "a figure in steps": """
import matplotlib; matplotlib.use("agg")
import matplotlib.pyplot as plt
fig, ax = plt.subplots()
# %%
line, = ax.plot([1, 2, 3], label="first")
# %%
ax.set_title("steps"); line.set_ydata([3, 2, 1])
# %%
ax.legend(); [t.get_text() for t in ax.get_legend().get_texts()]
# %%
fig.axes[0] is ax, ax.lines[0] is line, line.get_ydata(), ax.get_title()
""",
    "pyplot's state": """
import matplotlib; matplotlib.use("agg")
import matplotlib.pyplot as plt
fig = plt.figure(); plt.plot([0, 1])
# %%
plt.title("by pyplot")
# %%
plt.plot([1, 0]); len(fig.axes[0].lines)
# %%
plt.gcf() is fig, fig.axes[0].get_title()
# %%
plt.close(fig); plt.get_fignums()
""",
    "subplots": """
import matplotlib; matplotlib.use("agg")
import matplotlib.pyplot as plt, numpy as np
fig, axes = plt.subplots(2, 2, sharex=True)
a, b = axes[0]
# %%
for i, ax in enumerate(axes.flat): ax.bar(range(3), np.arange(3) + i)
# %%
a.set_xlim(-5, 5)
# %%
b.get_xlim(), len(axes[1, 1].patches), axes[0, 0] is a
# %%
fig.savefig("/dev/null", format="png"); [ax.get_ylim()[1] > 0 for ax in axes.flat]
""",
    "styles": """
import matplotlib as mpl; mpl.use("agg")
import matplotlib.pyplot as plt
mpl.rcParams["lines.linewidth"] = 7
# %%
from matplotlib.figure import Figure
fig = Figure(); ax = fig.add_subplot(); line, = ax.plot([1, 2])
# %%
line.get_linewidth(), line.get_color()
# %%
second, = ax.plot([2, 1]); second.get_color(), second.get_linewidth()
""",
    "pictures": """
from PIL import Image
im = Image.new("RGB", (8, 8), "navy"); pix = im.getpixel((0, 0))
# %%
im.putpixel((1, 1), (9, 8, 7)); small = im.resize((4, 4), Image.NEAREST)
# %%
im.paste((255, 0, 0), (4, 4, 8, 8)); thumbs = {"full": im, "small": small}
# %%
thumbs["full"] is im, im.getpixel((5, 5)), small.size, pix
# %%
import numpy as np
np.asarray(im).sum(), small.getpixel((0, 0))
""",
    "images as arrays": """
import numpy as np
img = np.zeros((16, 16, 3), np.uint8); red = img[..., 0]
# %%
red[4:8] = 200
# %%
mask = img.sum(axis=-1) > 0; img[mask] //= 2
# %%
red.max(), int(mask.sum()), img.shape
# %%
hist = np.bincount(red.ravel(), minlength=256); hist[[0, 100]]
""",
}
