// Whether this host has FUSE and lets us use it: what both transports look at first.
import { constants } from 'node:fs'
import { access } from 'node:fs/promises'
import { SwarmdiskError } from '../base/errors.js'

/** Fails with 'environment'. */
export async function checkDevice(device: string): Promise<void> {
  try {
    await access(device, constants.R_OK | constants.W_OK)
  } catch (cause) {
    const missing = (cause as NodeJS.ErrnoException).code === 'ENOENT'
    const text = missing
      ? `There is no ${device}: load it with "modprobe fuse", or pass it to the container.`
      : `${device} may not be opened: run this as root.`
    throw new SwarmdiskError('environment', text, { cause })
  }
}
