-- SQLite's change log; sessions are not cached on PostgreSQL.
SELECT 1;
