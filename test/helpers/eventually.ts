// Waiting for something outside of our process: looks again and again, with a bound that fails
// loudly.

const INTERVAL_MS = 20

export async function eventually(
  what: string,
  condition: () => boolean | Promise<boolean>,
  limit = 10_000,
): Promise<void> {
  const end = performance.now() + limit
  while (!(await condition())) {
    if (performance.now() > end) throw new Error(`not within ${limit} ms: ${what}`)
    await new Promise(resolve => setTimeout(resolve, INTERVAL_MS))
  }
}
