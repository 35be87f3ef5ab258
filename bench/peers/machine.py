"""The machine and the versions of everything, as results.json records them."""
import datetime
import importlib.metadata
import os
import pathlib
import platform
import subprocess

ROOT = pathlib.Path(__file__).resolve().parents[2]
NATIVE = pathlib.Path(__file__).resolve().parent / "native"
PACKAGES = ["torch", "torchvision", "openvino", "onnxruntime", "ncnn", "MNN", "onnx"]
LIBRARY_FOLDERS = {"pytorch": ["torch"], "openvino": ["openvino"], "onnxruntime": ["onnxruntime"], "ncnn": ["ncnn"],
                   "mnn": ["MNN.libs", "_mnncengine*", "MNN"]}


def output(*command):
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout.strip()


def processor():
    with open("/proc/cpuinfo") as file:
        fields = dict(map(str.strip, line.split(":", 1)) for line in file if ":" in line)
    widest = "AVX-512" if "avx512f" in fields["flags"] else "AVX2"
    return f"{fields['model name']} (family {fields['cpu family']}, model {fields['model']}, {widest})"


def describe():
    return {"processor": processor(), "cores": os.cpu_count(),
            "memory_gib": round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30),
            "system": f"{platform.freedesktop_os_release()['PRETTY_NAME']}, Linux {platform.release()}"}


def versions():
    found = {name: importlib.metadata.version(name) for name in PACKAGES}
    return {"Convoke": output("git", "describe", "--always", "--dirty"), "Python": platform.python_version()} | found


def now():
    return datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m-%d %H:%M UTC")


def build_native(folder):
    """The workers in C, and what measures the machine: the tuner's loops."""
    compiler = os.environ.get("CC", "cc")
    for name, sources in {"convoke_c": ["worker.c", "convoke.c"], "onnxruntime_c": ["worker.c", "onnxruntime.c"]}.items():
        subprocess.run([compiler, "-O3", "-march=native", "-std=gnu11", *(NATIVE / source for source in sources), "-o",
                        folder / name, "-lm", "-ldl", "-pthread"], check=True)
    subprocess.run([os.environ.get("CXX", "c++"), "-O2", "-std=c++20", "-I", ROOT, NATIVE / "machine.cc",
                    ROOT / "schedules/tuner/rates.cc", "-o", folder / "machine", "-pthread"], check=True)


def rates(folder, threads):
    """Multiply-adds ×2 of a core, bytes read by `threads` cores, both a second, and seconds from core to core, now."""
    gflops, gigabytes, ns = map(float, output(str(folder / "machine"), str(threads)).split())
    return {"flops": 1e9 * gflops, "bytes": 1e9 * gigabytes, "core_to_core": 1e-9 * ns}


def site_packages():
    import numpy
    return pathlib.Path(numpy.__file__).parents[1]


def library_bytes():
    """Of each framework's shared libraries, without those for GPUs."""
    return {name: sum(path.stat().st_size for pattern in patterns for folder in site_packages().glob(pattern)
                      for path in ([folder] if folder.is_file() else folder.rglob("*.so*"))
                      if not path.is_symlink() and "cuda" not in path.name)
            for name, patterns in LIBRARY_FOLDERS.items()}
