"""Workers as measure.py sees them, and what the rest of the machine does meanwhile."""
import json
import os
import subprocess
import time

TICKS_PER_SECOND = os.sysconf("SC_CLK_TCK")
# PyTorch's freed memory stays with the process: without this page faults cost it 3-57 %.
KEEP_MEMORY = {"MALLOC_MMAP_MAX_": "0", "MALLOC_TRIM_THRESHOLD_": str(1 << 40)}


def busy_seconds():
    """CPU seconds that all processes used, and that the host took away, since the machine started."""
    with open("/proc/stat") as stat:
        user, nice, system, _, _, irq, softirq, steal = map(int, stat.readline().split()[1:9])
    return (user + nice + system + irq + softirq + steal) / TICKS_PER_SECOND


class Worker:
    """A process that measures when it is told to; the rest of the time it waits and uses nothing."""

    def __init__(self, peer, command, threads, folders):
        environment = os.environ | {"OMP_NUM_THREADS": str(threads), "TORCHINDUCTOR_CACHE_DIR": str(folders.inductor)}
        if "torch" in peer:
            environment |= KEEP_MEMORY
        self.peer, self.log = peer, folders.logs / f"{peer}.log"
        with open(self.log, "w") as log:
            self.process = subprocess.Popen(command, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                            stderr=log, text=True)
        self.ready = self.answer()

    def answer(self):
        line = self.process.stdout.readline()
        if not line:
            raise RuntimeError(f"exit code {self.process.wait()}: {self.log.read_text().strip()[-500:]}")
        return json.loads(line)

    def measure(self, seconds):
        """ms, cores used, and cores that others used at the same time."""
        busy, start = busy_seconds(), time.perf_counter()
        self.process.stdin.write(f"{seconds}\n")
        self.process.stdin.flush()
        answer = self.answer()
        wall = time.perf_counter() - start
        return answer | {"others": max(0, (busy_seconds() - busy) / wall - answer["cores"])}

    def finish(self):
        """The peak of its memory, in bytes."""
        self.process.stdin.close()
        answer = self.answer()
        self.process.wait()
        return answer["peak_bytes"]
