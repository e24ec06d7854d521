// What all commands share: --json, errors as src/cli/report-failure.ts prints them, and the split
// into doing (`execute`, returns one plain object) and showing (`show`, for people).
import { Command } from '@oclif/core'

export abstract class SwarmdiskCommand<Result extends object | undefined> extends Command {
  static override readonly enableJsonFlag = true

  /** The work. What it returns is what --json prints. */
  protected abstract execute(): Promise<Result>

  /** The same for people. */
  protected abstract show(result: Result): void

  override async run(): Promise<Result> {
    const result = await this.execute()
    if (!this.jsonEnabled()) this.show(result)
    return result
  }

  /** No colours and no wrapping: scripts read it, one object on one line. */
  override logJson(json: unknown): void {
    process.stdout.write(`${JSON.stringify(json)}\n`)
  }

  /** oclif would print the error itself; src/cli/report-failure.ts does. */
  protected override catch(error: Error): Promise<never> {
    return Promise.reject(error)
  }

  /** The one line of a long-running command that says that it serves now. */
  protected announce(what: string, details: object): void {
    const line = this.jsonEnabled() ? JSON.stringify({ ready: what, ...details }) : `ready: ${what}`
    process.stdout.write(`${line}\n`)
  }
}
