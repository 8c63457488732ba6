"""The models that come with the package, ready to be asked."""

from pydantic import TypeAdapter

from unskew.errors import UserError
from unskew.regression import fit
from unskew.regression.config import Study
from unskew.regression.transformer import Transformer
from unskew.runs.config import load
from unskew.runs.folder import RunFolder
from unskew.runs.identity import run_id
from unskew.runs.store import shipped_root


def shipped_model(alpha: float = 0.5) -> Transformer:
    """The demo's base model, pretrained on prompts of which a share `alpha` has a discrete task.

    Its world (d, sigma, the tasks, ...) is the preset `demo`'s.

    Raises:
        UserError: no model of that alpha comes with the package; the message lists those that do.
    """
    study = load("demo", [], TypeAdapter(Study))
    config = study.pretrain(alpha)
    path = shipped_root() / run_id(config)
    if not path.exists():
        shares = ", ".join(f"{a:g}" for a in study.alphas)
        raise UserError(
            f"no model of alpha {alpha:g} comes with the package",
            hint=f"there are {shares}; `unskew run base prior.alpha={alpha:g}` trains another",
        )
    return fit.load(config, RunFolder.read(path))
