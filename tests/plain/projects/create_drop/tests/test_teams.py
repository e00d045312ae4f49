import pytest
from app import Player, Team
from sqlalchemy import select


@pytest.mark.parametrize("n", range(3))
def test_first_number(n, session):
    team = Team()
    session.add(team)
    session.flush()
    player = Player(team_id=team.id)
    session.add(player)
    session.flush()
    team.captain_id = player.id
    session.commit()
    assert (team.id, player.id) == (1, 1)


def test_empty(session):
    assert session.scalars(select(Team)).all() == []
