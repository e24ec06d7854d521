// Whether a directory can take a mount. Looks at the mount table first: what is mounted there may
// hang, so only a directory that is not a mount is ever opened.
import { readdir, stat } from 'node:fs/promises'
import { SwarmdiskError } from '../base/errors.js'
import { canonical, clearDeadMounts, mountAt, type MountHost } from './unmount.js'

/**
 * The absolute path to mount on. A dead mount of swarmdisk there is cleared first. Fails with
 * 'not-found', 'bad-input' (no directory, or not an empty one) or 'in-use' (a mount already).
 */
export async function prepareMountPoint(host: MountHost, directory: string): Promise<string> {
  const mountPoint = await canonical(directory)
  await clearDeadMounts(host, mountPoint)
  const present = await mountAt(mountPoint)
  if (present !== null) {
    throw new SwarmdiskError(
      'in-use',
      `${mountPoint} is a mount already (${present.type}): unmount it, or choose another.`,
    )
  }
  await checkEmptyDirectory(mountPoint)
  return mountPoint
}

async function checkEmptyDirectory(path: string): Promise<void> {
  const found = await stat(path).catch((cause: unknown) => {
    throw new SwarmdiskError('not-found', `There is no ${path}: make it with mkdir -p ${path}.`, {
      cause,
    })
  })
  if (!found.isDirectory()) {
    throw new SwarmdiskError('bad-input', `${path} is not a directory: a mount needs an empty one.`)
  }
  if ((await readdir(path)).length > 0) {
    throw new SwarmdiskError('bad-input', `${path} is not empty: a mount would hide what is in it.`)
  }
}
