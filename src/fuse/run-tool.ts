// Runs the system's tools (losetup, umount, dd, …) as child processes with a deadline. Whatever
// may touch a mount goes through here: a child that hangs in the kernel cannot even be killed, but
// the caller goes on and says so.
import { execFile, spawn } from 'node:child_process'
import type { Readable } from 'node:stream'
import type { Clock } from '../base/clock.js'
import { SwarmdiskError } from '../base/errors.js'
import { TOOL_DEADLINE_MS, TOOL_OUTPUT_BYTES_MAX } from '../base/limits.js'

export interface ToolResult {
  /** 0 for success. */
  readonly exitCode: number
  readonly stdout: string
  readonly stderr: string
}

const PACKAGES: Readonly<Record<string, string>> = {
  losetup: 'mount',
  mount: 'mount',
  umount: 'mount',
  dd: 'coreutils',
  stat: 'coreutils',
}

// Root's tools are not on every user's path; messages are shown to people, in one language.
const ENVIRONMENT = {
  ...process.env,
  PATH: `${process.env.PATH ?? '/usr/bin:/bin'}:/usr/sbin:/sbin`,
  LC_ALL: 'C',
}

export class Tools {
  readonly #clock: Clock

  constructor(options: { readonly clock: Clock }) {
    this.#clock = options.clock
  }

  /** Fails with 'environment' if there is no such tool, with 'io-timeout' at the deadline. */
  run(
    command: string,
    args: readonly string[],
    deadline: number = TOOL_DEADLINE_MS,
  ): Promise<ToolResult> {
    return new Promise((resolve, reject) => {
      const options = { env: ENVIRONMENT, maxBuffer: TOOL_OUTPUT_BYTES_MAX }
      const child = execFile(command, [...args], options, (error, stdout, stderr) => {
        timer.cancel()
        if (error !== null && typeof error.code === 'string') reject(notStarted(command, error))
        else resolve({ exitCode: error === null ? 0 : (child.exitCode ?? 128), stdout, stderr })
      })
      const timer = this.#clock.after(deadline, () => {
        child.kill('SIGKILL')
        // It may sit in the kernel for good: neither it nor its pipes may hold our process.
        child.stdout?.destroy()
        child.stderr?.destroy()
        child.unref()
        const shown = [command, ...args].join(' ')
        reject(new SwarmdiskError('io-timeout', `'${shown}' did not end within ${deadline} ms`))
      })
    })
  }

  /** Like run(), with open files of ours as its descriptors 3, 4, …; what it prints is lost. */
  runWithFiles(
    command: string,
    args: readonly string[],
    descriptors: readonly number[],
  ): Promise<ToolResult> {
    return new Promise((resolve, reject) => {
      const child = spawn(command, [...args], {
        env: ENVIRONMENT,
        stdio: ['ignore', 'ignore', 'pipe', ...descriptors],
      })
      const said: string[] = []
      let room = TOOL_OUTPUT_BYTES_MAX
      const stderr = child.stdio[2] as Readable
      stderr.setEncoding('utf8').on('data', (text: string) => {
        if (text.length <= room) said.push(text)
        room -= text.length
      })
      const timer = this.#clock.after(TOOL_DEADLINE_MS, () => {
        child.kill('SIGKILL')
        stderr.destroy()
        child.unref()
        reject(new SwarmdiskError('io-timeout', `'${command}' did not end in time`))
      })
      child.once('error', error => {
        timer.cancel()
        reject(notStarted(command, error))
      })
      child.once('close', code => {
        timer.cancel()
        resolve({ exitCode: code ?? 128, stdout: '', stderr: said.join('') })
      })
    })
  }

  /** Like run(), for tools whose failure is no outcome: fails with what the tool said. */
  async must(
    command: string,
    args: readonly string[],
    deadline: number = TOOL_DEADLINE_MS,
  ): Promise<string> {
    const result = await this.run(command, args, deadline)
    if (result.exitCode === 0) return result.stdout
    const said = result.stderr.trim().split('\n').at(-1) ?? ''
    throw new SwarmdiskError('environment', `'${[command, ...args].join(' ')}' failed: ${said}`)
  }
}

function notStarted(command: string, cause: Error & { code?: unknown }): SwarmdiskError {
  if (cause.code !== 'ENOENT') {
    return new SwarmdiskError('environment', `'${command}' failed: ${cause.message}`, { cause })
  }
  const hint = `apt-get install -y ${PACKAGES[command] ?? command}`
  return new SwarmdiskError('environment', `'${command}' is missing: ${hint}`, { cause })
}
