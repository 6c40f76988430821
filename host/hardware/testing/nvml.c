/* NVIDIA's management library as far as gpuhost calls it, answering from the file `cards` beside it: one `driver` line,
   then one `gpu` line a card, each followed by its `process` and `mig` lines. `hang` and `crash` do what they say. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { OK = 0, NOT_SUPPORTED = 3, NOT_FOUND = 6, TOO_SMALL = 7 };

typedef struct { unsigned pid; int graphics; long long used_mib; char name[64]; } process;
typedef struct device {
  char name[64], uuid[64];
  long long total_mib, free_mib, watts, draw;
  int major, minor, generation, width, celsius, busy, display, sick, mig;
  process processes[8];
  int process_count, part_count;
  struct device *parts[8];
} device;

static device devices[16];
static int count, cuda, init_code;
static char driver[64];

static void load(void) {
  Dl_info info;
  char path[4096], line[1024];
  if (!dladdr((void *)load, &info)) abort();
  snprintf(path, sizeof path, "%s", info.dli_fname);
  strcpy(strrchr(path, '/') + 1, "cards");
  FILE *file = fopen(path, "r");
  if (!file) abort();
  count = 0;
  while (fgets(line, sizeof line, file)) {
    device *last = count ? &devices[count - 1] : NULL;
    if (!strncmp(line, "hang", 4)) for (;;) pause();
    if (!strncmp(line, "crash", 5)) raise(11);
    if (sscanf(line, "init %d", &init_code) == 1) continue;
    if (sscanf(line, "driver %63s %d", driver, &cuda) == 2) continue;
    device d = {0};
    if (sscanf(line, "gpu|%63[^|]|%63[^|]|%lld|%lld|%d|%d|%d|%d|%lld|%d|%d|%d|%d|%d|%lld", d.name, d.uuid, &d.total_mib,
               &d.free_mib, &d.major, &d.minor, &d.generation, &d.width, &d.watts, &d.celsius, &d.busy, &d.display,
               &d.sick, &d.mig, &d.draw) == 15)
      devices[count++] = d;
    process p = {0};
    if (last && sscanf(line, "process|%u|%d|%lld|%63[^|\n]", &p.pid, &p.graphics, &p.used_mib, p.name) == 4)
      last->processes[last->process_count++] = p;
    if (last && sscanf(line, "mig|%63[^|]|%63[^|]|%lld|%lld", d.name, d.uuid, &d.total_mib, &d.free_mib) == 4) {
      d.mig = 2;
      last->parts[last->part_count] = malloc(sizeof d);
      *last->parts[last->part_count++] = d;
    }
  }
  fclose(file);
}

static int text(const char *from, char *to, unsigned length) {
  if (strlen(from) >= length) return TOO_SMALL;
  strcpy(to, from);
  return OK;
}

int nvmlInit_v2(void) { load(); return init_code; }
int nvmlShutdown(void) { return OK; }
int nvmlSystemGetDriverVersion(char *to, unsigned length) { return text(driver, to, length); }
int nvmlSystemGetCudaDriverVersion_v2(int *to) { *to = cuda; return OK; }
/* Each look sees what the file says by then. */
int nvmlDeviceGetCount_v2(unsigned *to) { load(); *to = count; return init_code; }
int nvmlDeviceGetHandleByIndex_v2(unsigned index, device **to) {
  *to = &devices[index];
  return index < (unsigned)count ? OK : NOT_FOUND;
}
int nvmlDeviceGetName(device *d, char *to, unsigned length) { return text(d->name, to, length); }
int nvmlDeviceGetUUID(device *d, char *to, unsigned length) { return text(d->uuid, to, length); }

typedef struct { uint32_t version; uint64_t total, reserved, free, used; } memory2;
int nvmlDeviceGetMemoryInfo_v2(device *d, memory2 *to) {
  if (d->sick) return d->sick;
  if (to->version != (sizeof *to | 2 << 24)) return 2;
  to->total = d->total_mib << 20;
  to->free = d->free_mib << 20;
  to->reserved = 480ll << 20;
  to->used = to->total - to->free - to->reserved;
  return OK;
}
int nvmlDeviceGetMemoryInfo(device *d, uint64_t *to) {
  if (d->sick) return d->sick;
  to[0] = d->total_mib << 20, to[1] = d->free_mib << 20, to[2] = to[0] - to[1];
  return OK;
}
int nvmlDeviceGetCudaComputeCapability(device *d, int *major, int *minor) { *major = d->major, *minor = d->minor; return OK; }
int nvmlDeviceGetMaxPcieLinkGeneration(device *d, unsigned *to) { *to = d->generation; return OK; }
int nvmlDeviceGetMaxPcieLinkWidth(device *d, unsigned *to) { *to = d->width; return OK; }
int nvmlDeviceGetPowerUsage(device *d, unsigned *to) { *to = d->draw * 1000; return OK; }
int nvmlDeviceGetPowerManagementLimit(device *d, unsigned *to) { *to = d->watts * 1000; return OK; }
int nvmlDeviceGetPowerManagementDefaultLimit(device *d, unsigned *to) { *to = d->watts * 1000; return OK; }
int nvmlDeviceGetPowerManagementLimitConstraints(device *d, unsigned *least, unsigned *most) {
  *least = 100000, *most = (d->watts + 50) * 1000;
  return OK;
}
int nvmlDeviceGetTemperature(device *d, int sensor, unsigned *to) { *to = d->celsius; return sensor ? NOT_SUPPORTED : OK; }
int nvmlDeviceGetUtilizationRates(device *d, unsigned *to) {
  if (d->mig > 0) return NOT_SUPPORTED;
  to[0] = d->busy, to[1] = 0;
  return OK;
}
int nvmlDeviceGetDisplayActive(device *d, unsigned *to) { *to = d->display; return OK; }
int nvmlDeviceGetMigMode(device *d, unsigned *now, unsigned *next) {
  if (d->mig < 0) return NOT_SUPPORTED;
  *now = *next = d->mig;
  return OK;
}
int nvmlDeviceGetMaxMigDeviceCount(device *d, unsigned *to) { *to = d->mig > 0 ? 7 : 0; return OK; }
int nvmlDeviceGetMigDeviceHandleByIndex(device *d, unsigned index, device **to) {
  if (index >= (unsigned)d->part_count) return NOT_FOUND;
  *to = d->parts[index];
  return OK;
}

typedef struct { uint32_t pid; uint64_t used; uint32_t instance, compute; } running;
static int list(device *d, int graphics, unsigned *length, running *to) {
  unsigned found = 0;
  for (int i = 0; i < d->process_count && found < *length; i++) {
    process *p = &d->processes[i];
    if (p->graphics != graphics) continue;
    to[found].pid = p->pid;
    to[found++].used = p->used_mib < 0 ? UINT64_MAX : (uint64_t)p->used_mib << 20;
  }
  *length = found;
  return OK;
}
int nvmlDeviceGetComputeRunningProcesses_v3(device *d, unsigned *n, running *to) { return list(d, 0, n, to); }
int nvmlDeviceGetGraphicsRunningProcesses_v3(device *d, unsigned *n, running *to) { return list(d, 1, n, to); }
int nvmlSystemGetProcessName(unsigned pid, char *to, unsigned length) {
  for (int i = 0; i < count; i++)
    for (int j = 0; j < devices[i].process_count; j++)
      if (devices[i].processes[j].pid == pid) return text(devices[i].processes[j].name, to, length);
  return NOT_FOUND;
}
