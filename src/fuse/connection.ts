// The kernel's side of a FUSE mount: whether its process answers, and ending it. None of this looks
// up a path on the mount from our own process, which a hanging mount would hang as well.
import { mkdtemp, rmdir, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { isSwarmdiskError } from '../base/errors.js'
import { ABORT_STEP_DEADLINE_MS, MOUNT_PROBE_DEADLINE_MS } from '../base/limits.js'
import type { MountEntry } from './mount-table.js'
import type { Tools } from './run-tool.js'

/** dead: its process is gone or the connection was aborted; silent: the process hangs. */
export type Liveness = 'alive' | 'dead' | 'silent'

/** Asks with statfs, which the kernel never answers from a cache. */
export async function probe(tools: Tools, mountPoint: string): Promise<Liveness> {
  try {
    const args = ['--file-system', '--', mountPoint]
    const result = await tools.run('stat', args, MOUNT_PROBE_DEADLINE_MS)
    return result.exitCode === 0 ? 'alive' : 'dead'
  } catch (error) {
    if (isSwarmdiskError(error, 'io-timeout')) return 'silent'
    throw error
  }
}

/**
 * Ends a connection at once: every waiting request fails, and all future ones do. Through the
 * control file system, because it needs no path on the mount. It is mounted in a folder of our own:
 * not every system has it at /sys/fs/fuse/connections.
 */
export async function abortConnection(tools: Tools, entry: MountEntry): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), 'swarmdisk-fusectl-'))
  try {
    await tools.must('mount', ['-t', 'fusectl', 'fusectl', folder], ABORT_STEP_DEADLINE_MS)
    try {
      const connection = entry.device.split(':')[1] ?? ''
      await writeFile(join(folder, connection, 'abort'), '1')
    } catch (error) {
      // The connection is gone, which is what we want.
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error
    } finally {
      await tools.must('umount', [folder], ABORT_STEP_DEADLINE_MS)
    }
  } finally {
    await rmdir(folder)
  }
}
