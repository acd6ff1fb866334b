"""The recipe for conda-forge, read and rendered by rattler-build's own engine for each platform that gets
wheels, and its packages compared with those that pyproject.toml asks for.

    pip install py-rattler-build; python .ci/recipe.py
"""

import re
import sys
import tomllib
from pathlib import Path

import rattler_build

ROOT = Path(__file__).parents[1]
COMPILERS = {"linux": "gxx", "osx": "clangxx", "win": "clang"}
STANDARD_LIBRARIES = {"linux": "sysroot", "osx": "macosx_deployment_target", "win": "vs"}
CALLED_OTHERWISE = {"matplotlib": "matplotlib-base", "lazy-loader": "lazy_loader"}

project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
wanted = {f"python {project['requires-python']}"}
for requirement in project["dependencies"]:
    name, bounds = re.fullmatch(r"([\w-]+)(.*)", requirement).groups()
    wanted.add(f"{CALLED_OTHERWISE.get(name, name)} {bounds}".strip())

recipe = rattler_build.Stage0Recipe.from_file(ROOT / "conda.recipe" / "recipe.yaml")
for platform in ("linux-64", "linux-aarch64", "osx-64", "osx-arm64", "win-64"):
    system = platform.partition("-")[0]
    variants = rattler_build.VariantConfig(
        {
            "python": ["3.12.* *_cpython"],
            "c_compiler": ["clang" if system != "linux" else "gcc"],
            "cxx_compiler": [COMPILERS[system]],
            "c_stdlib": [STANDARD_LIBRARIES[system]],
        }
    )
    target = rattler_build.PlatformConfig(
        target_platform=platform, build_platform=platform, host_platform=platform
    )
    (found,) = recipe.render(variants, rattler_build.RenderConfig(platform=target))
    package, needs = found.recipe.package, found.recipe.requirements
    if str(package.version) != project["version"]:
        sys.exit(f"the recipe is of {package.version}, pyproject.toml of {project['version']}")
    if set(needs.run) != wanted:
        sys.exit(f"the recipe and pyproject.toml differ in: {sorted(set(needs.run) ^ wanted)}")
    print(f"{platform}: built with {', '.join(needs.build)}")
