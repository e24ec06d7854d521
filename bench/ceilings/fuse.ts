// What a FUSE transport allows at best: a mount of a volume that does nothing, in a process of its
// own, as a file or as a loop device on it.
import { mkdtemp, rmdir } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { systemClock } from '../../src/base/clock.js'
import { silentLog } from '../../src/base/log.js'
import { mountHost } from '../../src/cli/mount-host.js'
import type { Target } from '../shared/fio.js'
import { CeilingChild } from './child.js'

const SIZE = 2 ** 30

export interface EmptyMountOptions {
  readonly transport: 'kernel' | 'fuse-native'
  readonly on: 'image' | 'loop'
  readonly signal: AbortSignal
}

export interface EmptyMountUse<T> {
  readonly result: T
  /** Of the process that serves the mount. */
  readonly cpuSeconds: number
}

export async function withEmptyMount<T>(
  { transport, on, signal }: EmptyMountOptions,
  use: (target: Target) => Promise<T>,
): Promise<EmptyMountUse<T>> {
  const { loops } = mountHost({ clock: systemClock, log: silentLog })
  const directory = await mkdtemp(join(tmpdir(), 'swarmdisk-ceiling-'))
  const words = [directory, transport, String(SIZE)]
  const child = new CeilingChild({ name: 'empty-mount', words, signal })
  try {
    await child.told()
    const image = join(directory, 'empty.img')
    const loop = on === 'loop' ? await loops.attach(image, { readOnly: false }) : null
    try {
      const result = await use({ files: [loop?.device ?? image], size: SIZE })
      return { result, cpuSeconds: (await child.ask({ ask: 'cpu' })) as number }
    } finally {
      if (loop) await loops.detach(loop.device, { abort: true })
    }
  } finally {
    await child.stop()
    await rmdir(directory)
  }
}
