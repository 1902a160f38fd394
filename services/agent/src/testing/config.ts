/** Where a test that cannot run is a failure instead of a line in the report. */
export const inCi = process.env['CI'] === 'true';
