// Plots of processes that stand still and go on, as by SIGSTOP and SIGCONT, of slow disks, and of
// disks that are wiped.
import {
  apart,
  cut,
  FLUSHED,
  freeze,
  kill,
  maybe,
  MEND,
  on,
  pause,
  slow,
  snap,
  wipe,
  WORK,
  type Plot,
} from '../steps.js'

export const PROCESS_PLOTS: readonly Plot[] = [
  // A read is under way when its server falls asleep; it wakes up when others go on without it.
  random => [
    on('read', 'arrived', random.pick(['P', 'F'])),
    freeze(random.pick(['P', 'F']), random.pick(['middle', 'lease', 'ages'])),
    WORK,
    pause(random.pick(['middle', 'lease'])),
    WORK,
    maybe(random, 0.5, pause('lease')),
    WORK,
  ],
  // So is a write, at the primary or at another replica.
  random => [
    on(random.pick(['write', 'replicate', 'sync'] as const), 'arrived', random.pick(['P', 'F'])),
    freeze(random.pick(['P', 'F', 'G']), random.pick(['middle', 'lease', 'ages'])),
    maybe(random, 0.5, kill('C')),
    WORK,
    pause('lease'),
    maybe(random, 0.3, kill(random.pick(['F', 'G', 'M']))),
    WORK,
  ],
  // A manager that leads sleeps, and a client that sleeps has missed what became of its writes.
  random => [
    freeze('M', random.pick(['middle', 'lease', 'ages'])),
    maybe(random, 0.5, freeze('C', random.pick(['middle', 'lease', 'ages']))),
    maybe(random, 0.5, kill(random.pick(['P', 'F']), random.pick(['none', 'middle']))),
    WORK,
    pause('lease'),
    WORK,
  ],
  // It is killed while it sleeps, or wakes up without links.
  random => [
    freeze(random.pick(['P', 'F']), 'ages'),
    WORK,
    pause(random.pick(['short', 'lease'])),
    random.pick([kill('P'), kill('F'), snap('P', 'F'), MEND]),
    WORK,
  ],
  // One disk is slow, and trouble comes meanwhile.
  random => [
    slow(random.pick(['P', 'F', 'M']), 'long'),
    WORK,
    random.pick([FLUSHED, on('write', 'arrived', 'P'), on('replicate', 'arrived', 'F')]),
    maybe(random, 0.6, kill(random.pick(['P', 'F', 'G', 'C']))),
    maybe(random, 0.3, cut('P', 'F')),
    WORK,
  ],
  // A server comes back with nothing, and the others have to tell it everything.
  random => [
    maybe(random, 0.5, FLUSHED),
    wipe(random.pick(['P', 'F', 'G']), random.pick(['none', 'short', 'middle', 'long'])),
    maybe(random, 0.5, cut('M', random.pick(['P', 'F', 'C']))),
    on(random.pick(['summaries', 'blocks', 'caught-up'] as const), 'answered'),
    WORK,
    maybe(random, 0.7, kill(random.pick(['P', 'F', 'G', 'M']))),
    maybe(random, 0.3, wipe('F', 'none')),
    ...(random.chance(0.2) ? apart(['P'], ['F'], 'middle') : []),
    WORK,
  ],
]
